"""Many people at once: a fixed number of statements, whatever their number."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

import contacts.queries
from audit.commands import record
from consent import queries
from consent.commands import addresses
from consent.commands.acts import tell
from consent.ledger import WITHDRAWALS, NewAct, append_many
from consent.models import Act, LedgerEntry, Source, Suppression
from contacts import locks
from contacts.models import Contact
from core.actors import By


@transaction.atomic
def record_many(acts: Sequence[NewAct], *, by: By) -> int:
    """Append these acts in their order; returns how many. A later act of a person outdoes an earlier one.

    Nothing is checked against what people said before: an import uses `record_import`, which does.
    """
    if not acts:
        return 0
    nos = [act for act in acts if act.act in WITHDRAWALS]
    # All in one pass: two mixed batches that took theirs in two could wait for each other.
    (locks.hold_exclusive if nos else locks.hold_shared)(act.contact_id for act in acts)
    at = append_many(acts, by=by)
    _remember(nos)
    record("consent.recorded", by=by, counts=dict(Counter(str(act.act) for act in acts)))
    for act in nos:
        if act.act in (Act.OPT_OUT, Act.OPT_OUT_ALL):
            tell(act.contact_id, act.topic_id, None, at)
    return len(acts)


def _remember(nos: Sequence[NewAct]) -> None:
    people = contacts.queries.open_many({act.contact_id for act in nos})
    addresses.remember(
        (addresses.hash_of(people[act.contact_id].email), act.topic_id)
        for act in nos
        if act.act in (Act.OPT_OUT, Act.OPT_OUT_ALL) and act.contact_id in people and people[act.contact_id].email
    )


@transaction.atomic
def record_import(
    import_id: UUID,
    *,
    created_ids: Collection[UUID],
    matched_ids: Collection[UUID],
    consent: Mapping[str, Any],
    by: By,
) -> int:
    """Write what an imported file says its people consented to; returns how many opt-ins.

    A no always outlives an import: whoever opted out stays out, and so does an address whose contact was deleted.
    Whoever is in already keeps their own evidence, so a file imported twice changes nothing.
    """
    ids = [*created_ids, *matched_ids]
    live = {topic.pk for topic in queries.topics()}
    topic_ids = [t for t in (UUID(str(t)) for t in consent.get("topics") or ()) if t in live]
    # The import holds them already (contacts.upsert.hold), and nobody else knows whom it creates.
    locks.hold_shared(matched_ids)
    evidence = {key: consent.get(key) for key in ("text", "text_version", "given_on")} | {
        "origin": consent.get("source")
    }
    blocked = _blocked(ids, topic_ids)
    acts = []
    for topic_id in topic_ids:
        facts = queries.facts_for(ids, topic_id)
        acts += [
            NewAct(i, Act.OPT_IN, Source.IMPORT, topic_id, evidence, import_id=import_id)
            for i in ids
            if not (facts[i].opted_in or facts[i].opted_out or facts[i].opted_out_all) and (i, topic_id) not in blocked
        ]
    if consent.get("address_confirmed"):
        facts = queries.facts_for(ids, None)
        indexes = Contact.objects.filter(pk__among=ids, email_index__isnull=False).values_list("pk", "email_index")
        acts += [
            NewAct(
                i, Act.ADDRESS_CONFIRMED, Source.IMPORT, None, evidence, address_index=bytes(index), import_id=import_id
            )
            for i, index in indexes
            if index and not facts[i].address_confirmed
        ]
    if acts:
        append_many(acts, by=by)
        counts = dict(Counter(str(act.act) for act in acts))
        record("consent.imported", by=by, counts=counts, import_id=str(import_id))
    return sum(act.act == Act.OPT_IN for act in acts)


def _blocked(ids: Collection[UUID], topic_ids: Collection[UUID]) -> set[tuple[UUID, UUID]]:
    """The people and topics kept out by an earlier opt-out of the same address; opens no one if there is none."""
    if not topic_ids or not Suppression.objects.filter(released_at__isnull=True).exists():
        return set()
    hashes = {i: addresses.hash_of(r.email) for i, r in contacts.queries.open_many(ids).items() if r.email}
    out = addresses.kept_out(set(hashes.values()), topic_ids)
    return {(i, topic_id) for i, h in hashes.items() for topic_id in topic_ids if (h, topic_id) in out}


@transaction.atomic
def undo_import(import_id: UUID, *, by: By) -> int:
    """Take back the opt-ins and confirmed addresses an import wrote, where nothing was said since; returns how many."""
    written = LedgerEntry.objects.filter(import_id=import_id, act__in=[Act.OPT_IN, Act.ADDRESS_CONFIRMED])
    pairs = list(written.values_list("contact_id", "topic_id", "pk"))
    ids = {contact_id for contact_id, _, _ in pairs}
    locks.hold_exclusive(ids)
    acts = []
    for topic_id in {topic_id for _, topic_id, _ in pairs}:
        facts = queries.facts_for(ids, topic_id)
        acts += [
            NewAct(
                contact_id,
                Act.OPT_IN_VOIDED if topic_id else Act.ADDRESS_UNCONFIRMED,
                Source.IMPORT,
                topic_id,
                import_id=import_id,
            )
            for contact_id, topic, entry in pairs
            if topic == topic_id and entry in {facts[contact_id].opted_in, facts[contact_id].address_confirmed}
        ]
    if acts:
        append_many(acts, by=by)
        record("consent.import_undone", by=by, count=len(acts), import_id=str(import_id))
    return len(acts)
