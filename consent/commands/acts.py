"""One person, one act."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.commands import record
from consent import queries
from consent.commands import addresses
from consent.errors import NothingToConfirm, UnknownContact, UnknownTopic
from consent.ledger import NewAct, append
from consent.models import Act, LedgerEntry, Source, Topic
from consent.signals import withdrawn
from contacts import locks
from contacts.models import Contact
from core import clock
from core.actors import By
from core.jobs import enqueue

Evidence = Mapping[str, Any] | None
#: Asking again sooner sends no second mail.
REPEAT = timedelta(minutes=10)


def id_of(topic: Topic | UUID | None) -> UUID | None:
    return topic.pk if isinstance(topic, Topic) else topic


def must_exist(contact_id: UUID) -> None:
    if not Contact.objects.filter(pk=contact_id).exists():
        raise UnknownContact("There is no such contact; it may have been deleted. Look the person up again.")


@transaction.atomic
def opt_in(
    contact_id: UUID,
    topic: Topic | UUID | None = None,
    *,
    source: str,
    evidence: Evidence,
    by: By,
    double: bool = False,
) -> LedgerEntry:
    """Record a yes to a topic, with what it rests on. Without a topic: take back an opt-out of everything.

    Lifts the person's own earlier opt-out of it. Raises UnknownContact, UnknownTopic, EvidenceMissing.
    """
    topic_id = id_of(topic)
    must_exist(contact_id)
    if topic_id is not None:
        queries.topic(topic_id)
    locks.hold_shared([contact_id])
    entry = append(NewAct(contact_id, Act.OPT_IN, source, topic_id, evidence or {}, double=double), by=by)
    addresses.forgive(queries.address_of(contact_id), topic_id)
    record("consent.opted_in", by=by, target=entry, subject=contact_id, topic=str(topic_id or ""), source=source)
    return entry


@transaction.atomic
def opt_out(
    contact_id: UUID,
    topic: Topic | UUID | None = None,
    *,
    source: str,
    evidence: Evidence = None,
    by: By,
    delivery_id: UUID | None = None,
) -> LedgerEntry:
    """Record a no to a topic, or to everything. Said twice it is written once. Holds for deleted contacts, too.

    Once this commits no message leaves against it (CAN-09). `delivery_id`: the mail whose link was used.
    """
    topic_id = id_of(topic)
    address = queries.address_of(contact_id)
    locks.hold_exclusive(addresses.neighbours(contact_id, address) if topic_id is None else [contact_id])
    if standing := _standing_no(contact_id, topic_id):
        return standing
    kept = {**(evidence or {}), "delivery_id": delivery_id}
    act = Act.OPT_OUT_ALL if topic_id is None else Act.OPT_OUT
    entry = append(NewAct(contact_id, act, source, topic_id, kept), by=by)
    if address:
        addresses.remember([(addresses.hash_of(address), topic_id)])
    record("consent.opted_out", by=by, target=entry, subject=contact_id, topic=str(topic_id or ""), source=source)
    tell(contact_id, topic_id, delivery_id, entry.at)
    return entry


def tell(contact_id: UUID, topic_id: UUID | None, delivery_id: UUID | None, at: datetime) -> None:
    """Let other rooms know on commit; whatever they do about it cannot undo the withdrawal."""
    send = partial(
        withdrawn.send, sender=LedgerEntry, contact_id=contact_id, topic_id=topic_id, delivery_id=delivery_id, at=at
    )
    transaction.on_commit(send, robust=True)


def _standing_no(contact_id: UUID, topic_id: UUID | None) -> LedgerEntry | None:
    """The row that already says it, if nothing after it says otherwise."""
    rows = LedgerEntry.objects.filter(contact_id=contact_id)
    if topic_id is None:
        last = rows.filter(act__in=[Act.OPT_IN, Act.OPT_OUT_ALL]).order_by("-number").first()
        return last if last and last.act == Act.OPT_OUT_ALL else None
    acts = [Act.OPT_IN, Act.OPT_IN_VOIDED, Act.OPT_OUT]
    last = rows.filter(topic=topic_id, act__in=acts).order_by("-number").first()
    return last if last and last.act == Act.OPT_OUT else None


@transaction.atomic
def save_preferences(
    contact_id: UUID,
    wanted: Collection[UUID],
    *,
    source: str,
    evidence: Evidence,
    by: By,
    delivery_id: UUID | None = None,
    counting: bool | None = None,
) -> int:
    """Make the person receive exactly these live topics; returns how many changed.

    `counting`: whether their opens and clicks may be counted; None: they were not asked.
    """
    locks.hold_exclusive([contact_id])
    changed = 0
    if counting is not None and counting == queries.counting_refused(contact_id):
        allow_counting(contact_id, counting, source=source, evidence=evidence, by=by)
        changed += 1
    for state in queries.states_of(contact_id):
        if state.receives == (state.topic.pk in wanted):
            continue
        changed += 1
        if state.receives:
            opt_out(contact_id, state.topic, source=source, evidence=evidence, by=by, delivery_id=delivery_id)
        else:
            opt_in(contact_id, state.topic, source=source, evidence=evidence, by=by)
    return changed


@transaction.atomic
def request_opt_in(contact_id: UUID, topic: Topic | UUID, *, source: str, evidence: Evidence, by: By) -> LedgerEntry:
    """Ask the person by mail to confirm (double opt-in). Asked again within ten minutes, no second mail goes out."""
    topic_id = queries.topic(topic.pk if isinstance(topic, Topic) else topic).pk
    must_exist(contact_id)
    locks.hold_shared([contact_id])
    index = addresses.index_of(contact_id)
    if index is None:
        raise UnknownContact("This contact has no email address to ask. Add one first.")
    asked = queries.pending_request(contact_id, topic_id)
    if asked and asked.at > clock.now() - REPEAT and bytes(asked.address_index or b"") == index:
        return asked
    act = NewAct(contact_id, Act.OPT_IN_REQUESTED, source, topic_id, evidence or {}, address_index=index)
    entry = append(act, by=by)
    record("consent.opt_in_requested", by=by, target=entry, subject=contact_id, topic=str(topic_id), source=source)
    enqueue("delivery.send_confirmation", contact_id, topic_id)
    return entry


@transaction.atomic
def confirm_opt_in(request_id: UUID, *, evidence: Evidence, by: By) -> LedgerEntry:
    """Turn a request into a yes, said from the mailbox itself: an opt-in and a confirmed address. Twice is once.

    Raises NothingToConfirm after an opt-out, or when the contact's address is no longer the one that was asked.
    """
    request = queries.entry(request_id)
    if request is None or request.act != Act.OPT_IN_REQUESTED or request.topic_id is None:
        raise NothingToConfirm("There is nothing to confirm here.")
    locks.hold_shared([request.contact_id])
    pending = queries.pending_request(request.contact_id, request.topic_id)
    if pending is None or pending.pk != request.pk:
        return _answered(request)
    index = addresses.index_of(request.contact_id)
    if index is None or index != bytes(request.address_index or b""):
        raise NothingToConfirm("The address has changed since this mail was sent.")
    shown = {"text": request.evidence.get("text"), "text_version": request.evidence.get("text_version")}
    if not shown["text"]:
        shown["origin"] = request.evidence.get("origin")
    kept = {**shown, **(evidence or {}), "request": request.pk}
    entry = opt_in(request.contact_id, request.topic_id, source=Source.MAIL_LINK, evidence=kept, by=by, double=True)
    confirm_address(request.contact_id, source=Source.MAIL_LINK, evidence={"request": request.pk}, by=by)
    return entry


def _answered(request: LedgerEntry) -> LedgerEntry:
    """The yes that already followed this request or a later one, if it still stands."""
    later = LedgerEntry.objects.filter(contact_id=request.contact_id, number__gt=request.number)
    last = later.filter(topic=request.topic).order_by("-number").first()
    out = later.filter(act=Act.OPT_OUT_ALL).exists()
    if last is not None and last.act == Act.OPT_IN and last.double and not out:
        return last
    if last is not None and last.act == Act.OPT_IN_REQUESTED and not out:
        raise NothingToConfirm("A newer mail was sent. Please use the link in the newest one.")
    raise NothingToConfirm("This request was taken back. Please ask again if you want these emails.")


@transaction.atomic
def confirm_address(contact_id: UUID, *, source: str, evidence: Evidence, by: By) -> LedgerEntry:
    """Record that the person themselves uses this address (PRV-24); holds until the contact's address changes."""
    must_exist(contact_id)
    index = addresses.index_of(contact_id)
    if index is None:
        raise UnknownContact("This contact has no email address to confirm. Add one first.")
    act = NewAct(contact_id, Act.ADDRESS_CONFIRMED, source, evidence=evidence or {}, address_index=index)
    entry = append(act, by=by)
    record("consent.address_confirmed", by=by, target=entry, subject=contact_id, source=source)
    return entry


@transaction.atomic
def give_special_consent(contact_id: UUID, *, source: str, evidence: Evidence, by: By) -> LedgerEntry:
    """Record consent to use special-category information in mail. Raises EvidenceMissing."""
    must_exist(contact_id)
    locks.hold_shared([contact_id])
    entry = append(NewAct(contact_id, Act.SPECIAL_CONSENT, source, evidence=evidence or {}), by=by)
    record("consent.special_given", by=by, target=entry, subject=contact_id, source=source)
    return entry


@transaction.atomic
def allow_counting(contact_id: UUID, allowed: bool, *, source: str, evidence: Evidence = None, by: By) -> LedgerEntry:
    """Record whether a person's opens and clicks may be counted (TRK-02); they may until the person says no."""
    act = Act.COUNTING_ALLOWED if allowed else Act.COUNTING_REFUSED
    entry = append(NewAct(contact_id, act, source, evidence=evidence or {}), by=by)
    record("consent.counting", by=by, target=entry, subject=contact_id, allowed=allowed, source=source)
    return entry


@transaction.atomic
def revoke_special_consent(contact_id: UUID, *, source: str, evidence: Evidence = None, by: By) -> LedgerEntry:
    locks.hold_exclusive([contact_id])
    entry = append(NewAct(contact_id, Act.SPECIAL_CONSENT_REVOKED, source, evidence=evidence or {}), by=by)
    record("consent.special_revoked", by=by, target=entry, subject=contact_id, source=source)
    return entry


def say(
    contact_id: UUID, act: str, topic: UUID | None = None, *, source: str, evidence: Evidence = None, by: By
) -> LedgerEntry:
    """Record one act by its name, for pages and API alike. `opt_in_everything` takes an opt-out of everything back."""
    whole: dict[str, Callable[..., LedgerEntry]] = {
        "opt_out_all": opt_out,
        "opt_in_everything": opt_in,
        "address_confirmed": confirm_address,
        "special_consent": give_special_consent,
        "special_consent_revoked": revoke_special_consent,
        "counting_refused": partial(allow_counting, allowed=False),
        "counting_allowed": partial(allow_counting, allowed=True),
    }
    if act in whole:
        return whole[act](contact_id, source=source, evidence=evidence, by=by)
    about = {"opt_in": opt_in, "opt_in_requested": request_opt_in, "opt_out": opt_out}[act]
    if topic is None:
        raise UnknownTopic("Choose the topic this is about.")
    return about(contact_id, topic, source=source, evidence=evidence, by=by)
