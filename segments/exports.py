"""Let the people of a segment out as a file: one person asks, another approves, every download is recorded (TRK-08)."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.queries import person_of
from audit import commands as audit
from contacts import queries as contacts
from contacts.errors import NeedsReason
from contacts.models import Attribute
from core import clock
from core.actors import By
from core.purposes import Purpose
from core.sensitivity import Sensitivity, highest
from phi.keyring import keyring
from segments import catalog as catalogs
from segments import export_file, fanout, queries
from segments.errors import (
    AgreementMissing,
    Archived,
    NotApproved,
    NotAsAsked,
    NothingToExport,
    NotTheSecondPerson,
    NotYours,
    RuleError,
    SaleForbidden,
)
from segments.models import Export, Segment
from segments.rules import parse

State, Recipient = Export.State, Export.Recipient

#: So long an approval is good.
GOOD_FOR = timedelta(days=7)
MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to leave, what for, and to whom. `paid`: somebody gives something for it."""

    attributes: Sequence[str]
    purpose: str
    reason: str
    recipient: str = Recipient.OWN
    party: str = ""
    agreed_on: date | None = None
    agreed_until: date | None = None
    paid: bool = False


def exports() -> "QuerySet[Export]":
    """Every export with its segment, newest first."""
    return Export.objects.select_related("segment").order_by("-requested_at", "-pk")


def awaiting() -> "QuerySet[Export]":
    """Exports that wait for a second person."""
    return exports().filter(state=State.REQUESTED)


def ready(person: UUID) -> "QuerySet[Export]":
    """What this person asked for and may download now."""
    return exports().filter(state=State.APPROVED, requested_by=person, expires_at__gt=clock.now())


def columns_of(export: Export) -> list[Attribute]:
    """The definitions of its columns, in order. Raises NotAsAsked where one was removed since."""
    return _columns(export.attributes)


def _columns(keys: Sequence[str]) -> list[Attribute]:
    known = contacts.attributes()
    if unknown := [key for key in keys if key not in known]:
        raise NotAsAsked(f"There is no attribute {', '.join(unknown)} any more. Ask for the export anew.")
    return [known[key] for key in keys]


@transaction.atomic
def request_export(segment: Segment, wanted: Wanted, *, by: By) -> Export:
    """Ask for the people of a segment as a file. Nothing leaves until a second person approves it.

    Raises NothingToExport, NeedsReason, SaleForbidden, AgreementMissing, Archived, RuleError.
    """
    if segment.archived_at is not None:
        raise Archived("This segment is archived. Restore it before you export it.")
    person = person_of(by)
    if person is None:
        raise NotYours("A person has to ask for an export, in their own name or by a token of theirs.")
    columns = _columns(list(dict.fromkeys(wanted.attributes)))
    if not columns:
        raise NothingToExport("Choose at least one column: nothing leaves that was not asked for.")
    if wanted.purpose not in Purpose:
        raise NothingToExport("Choose what the file is for.")
    if len(wanted.reason.strip()) < 5:
        raise NeedsReason("Say what the file is needed for, in a few words: whoever approves it decides by that.")
    if wanted.paid:
        raise SaleForbidden(
            "What somebody pays for is a sale of health information: it needs an authorization of each person that "
            "says so (45 CFR 164.502(a)(5)(ii)). Carillon does not export for payment."
        )
    catalog = catalogs.load()
    asked = queries.rule_of(segment)
    rule = parse(asked, catalog)
    people = queries.count(rule, catalog=catalog)
    if not people:
        raise NothingToExport("Nobody matches this segment now, so there is nothing to export.")
    associate = wanted.recipient == Recipient.ASSOCIATE
    export = Export(
        segment=segment,
        rule=asked,
        revision=segment.revision,
        purpose=wanted.purpose,
        reason=wanted.reason.strip()[:MAX_TEXT],
        attributes=[column.key for column in columns],
        tier=highest(queries.tier_of(rule, catalog), *(column.sensitivity for column in columns)),
        recipient=Recipient.ASSOCIATE if associate else Recipient.OWN,
        party=wanted.party.strip()[:MAX_TEXT] if associate else "",
        agreed_on=wanted.agreed_on if associate else None,
        agreed_until=wanted.agreed_until if associate else None,
        people=people,
        requested_by=person,
        requested_at=clock.now(),
    )
    _check_agreement(export)
    export.save(force_insert=True)
    audit.record(
        "export.requested",
        by=by,
        target=export,
        segment=str(segment.pk),
        revision=export.revision,
        fields=export.attributes,
        tier=str(export.tier),
        purpose=export.purpose,
        recipient=export.recipient,
        people=people,
    )
    return export


def _check_agreement(export: Export) -> None:
    """SEC-09: who is not our workforce gets nothing without an agreement in force."""
    if export.recipient == Recipient.OWN:
        return
    today = clock.now().date()
    if not export.party or export.agreed_on is None or export.agreed_on > today:
        raise AgreementMissing("Name the business associate and the day its agreement was signed.")
    if export.agreed_until is not None and export.agreed_until < today:
        raise AgreementMissing("The agreement with this business associate has ended. Renew it and ask anew.")


def check_as_asked(export: Export) -> None:
    """What would leave now is what was asked for. Raises NotAsAsked, AgreementMissing."""
    catalog = catalogs.load()
    try:
        rule, now = parse(export.rule, catalog), parse(queries.rule_of(export.segment), catalog)
    except RuleError as refusal:
        raise NotAsAsked(f"The rule no longer makes sense. {refusal}") from None
    if rule != now:
        raise NotAsAsked("The segment's rule was changed after this was asked for. Ask for the export anew.")
    tier = highest(queries.tier_of(rule, catalog), *(column.sensitivity for column in columns_of(export)))
    if tier != export.tier:
        raise NotAsAsked("What this holds counts as more or less sensitive by now. Ask for the export anew.")
    _check_agreement(export)


def _locked(export: Export) -> Export:
    return Export.objects.select_for_update(of=("self",)).select_related("segment").get(pk=export.pk)


@transaction.atomic
def approve_export(export: Export, *, note: str = "", by: By) -> Export:
    """Let an export out, for GOOD_FOR. Raises NotTheSecondPerson, NotAsAsked, NotApproved."""
    export = _locked(export)
    person = person_of(by)
    if person is None or person == export.requested_by:
        raise NotTheSecondPerson("A second person has to approve this: you asked for it yourself.")
    if export.state != State.REQUESTED:
        raise NotApproved("This export does not wait for approval any more.")
    check_as_asked(export)
    now = clock.now()
    export.state, export.decided_by, export.decided_at = State.APPROVED, person, now
    export.note, export.expires_at = note.strip()[:MAX_TEXT], now + GOOD_FOR
    export.approved_digest = _digest(export)
    export.save()
    audit.record("export.approved", by=by, target=export, segment=str(export.segment_id), fields=export.attributes)
    return export


@transaction.atomic
def refuse_export(export: Export, *, note: str, by: By) -> Export:
    """Say no, or take an approval back. Raises NeedsReason, NotApproved."""
    export = _locked(export)
    if export.state not in (State.REQUESTED, State.APPROVED):
        raise NotApproved("This export is closed already.")
    if len(note.strip()) < 5:
        raise NeedsReason("Say why in a few words: whoever asked for it reads them.")
    export.state, export.decided_by, export.decided_at = State.REFUSED, person_of(by), clock.now()
    export.note, export.approved_digest = note.strip()[:MAX_TEXT], None
    export.save()
    audit.record("export.refused", by=by, target=export, segment=str(export.segment_id))
    return export


@transaction.atomic
def withdraw_export(export: Export, *, by: By) -> Export:
    """Take one's own request back, approved or not. Raises NotYours, NotApproved."""
    export = _locked(export)
    _check_own(export, by)
    if export.state not in (State.REQUESTED, State.APPROVED):
        raise NotApproved("This export is closed already.")
    export.state, export.approved_digest = State.WITHDRAWN, None
    export.save()
    audit.record("export.withdrawn", by=by, target=export, segment=str(export.segment_id))
    return export


def _check_own(export: Export, by: By) -> None:
    if person_of(by) != export.requested_by:
        raise NotYours("Only who asked for an export may download or withdraw it.")


def is_over(export: Export) -> bool:
    """Whether an approval has run out."""
    return export.state == State.APPROVED and (export.expires_at is None or export.expires_at <= clock.now())


def download(export: Export, *, by: By) -> Iterator[str]:
    """The approved people as CSV text, piece by piece. That it was downloaded is on the trail before the first byte.

    Raises NotYours, NotApproved, NotAsAsked, AgreementMissing.
    """
    export = exports().get(pk=export.pk)
    _check_may_leave(export, by)
    numbers = fanout.members(export.rule, clock.now())
    with transaction.atomic():
        export = _locked(export)
        _check_may_leave(export, by)  # again: it may have been withdrawn while people were looked for
        audit.record(
            "export.downloaded",
            by=by,
            target=export,
            segment=str(export.segment_id),
            fields=export.attributes,
            tier=str(export.tier),
            people=len(numbers),
        )

    def done(rows: int, left_out: dict[str, int]) -> None:
        audit.record("export.finished", by=by, target=export, rows=rows, left_out=left_out)

    limits = export_file.Limits(export.purpose, Sensitivity(export.tier))
    return export_file.stream(numbers, columns_of(export), limits, done)


def _check_may_leave(export: Export, by: By) -> None:
    _check_own(export, by)
    if export.state != State.APPROVED:
        raise NotApproved("This export is not approved. A second person has to look at it first.")
    if is_over(export):
        raise NotApproved("The approval has run out. Ask for the export anew.")
    if not hmac.compare_digest(bytes(export.approved_digest or b""), _digest(export)):
        raise NotApproved("What stands here is not what was approved. Ask for the export anew.")
    check_as_asked(export)


def _digest(export: Export) -> bytes:
    """Over all that an approval covers, under a key the database has not."""
    covered = {
        "id": str(export.pk),
        "segment": str(export.segment_id),
        "rule": export.rule,
        "refers": {str(segment): what for segment, what in queries.referred(export.rule).items()},
        "revision": export.revision,
        "attributes": export.attributes,
        "tier": str(export.tier),
        "purpose": str(export.purpose),
        "recipient": [str(export.recipient), export.party, str(export.agreed_on), str(export.agreed_until)],
        "people": [str(export.requested_by), str(export.decided_by)],
        "until": export.expires_at.isoformat() if export.expires_at else "",
    }
    text = json.dumps(covered, sort_keys=True).encode(errors="surrogatepass")
    return hmac.new(keyring().secret("segments:exports"), text, hashlib.sha256).digest()
