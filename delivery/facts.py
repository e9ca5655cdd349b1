"""Everything the gate asks about, for a whole window, in a fixed number of statements."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import consent.queries
from consent.models import Topic
from contacts import damaged
from contacts.models import Contact
from contacts.records import Record
from contacts.seal import SealedRow, key_of, open_record
from content.models import TemplateVersion
from content.queries import tier_now
from core.models import Organization
from core.purposes import MessageClass
from core.sensitivity import Sensitivity, highest
from delivery import routes
from delivery.gate import MessageFacts, Policy, RecipientFacts
from delivery.models import Delivery, Origin, Relay, Sender
from phi import blind
from phi.errors import SealBroken

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """One recipient: the gate's facts, and what the message is made from. PHI, in memory only."""

    facts: RecipientFacts
    record: Record
    key: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What all recipients of an origin share: the gate's facts and the rows behind them."""

    facts: MessageFacts
    policy: Policy
    relay: Relay | None
    topic_number: int


def message(
    *,
    stream: str,
    template_version: TemplateVersion,
    sender: Sender,
    tier: str,
    topic_id: UUID | None,
    approved_digest: bytes | None,
    now: datetime,
) -> Message:
    """Facts of a message, for production and for forecasts. Three statements (relays, topic, organization)."""
    relay = routes.pick(list(Relay.objects.filter(stream=stream, removed_at__isnull=True)), tier, now)
    topic = Topic.objects.filter(pk=topic_id, removed_at__isnull=True).first() if topic_id else None
    organization = Organization.current()
    # What the version shows is what counts: it was frozen with the address of its day.
    address = template_version.organization.get("postal_address", "")
    facts = MessageFacts(
        purpose=template_version.purpose,
        message_class=template_version.message_class,
        tier=tier,
        version_id=template_version.pk,
        content_digest=bytes(template_version.digest),
        approved_digest=bytes(approved_digest) if approved_digest else None,
        relay=routes.facts_of(relay) if relay else None,
        topic_id=topic.pk if topic else None,
        topic_requires_opt_in=topic.requires_opt_in if topic else True,
        remunerated=template_version.remunerated,
        has_postal_address=bool(address.strip()),
        sender_verified=is_verified(sender),
    )
    policy = Policy(
        organization.time_zone,
        organization.quiet_from_hour,
        organization.quiet_until_hour,
        organization.cap_messages,
        organization.cap_days,
    )
    return Message(facts, policy, relay, topic.number if topic else 0)


def of_origin(origin: Origin, now: datetime) -> Message:
    return message(
        stream=origin.stream,
        template_version=origin.template_version,
        sender=origin.sender,
        # Raising an attribute's sensitivity reaches what is on its way.
        tier=highest(origin.tier, tier_now(origin.template_version)),
        topic_id=origin.topic_id,
        approved_digest=bytes(origin.approved_digest),
        now=now,
    )


def is_verified(sender: Sender) -> bool:
    """Live, and its address belongs to a domain that is verified (CAN-03)."""
    domain = sender.address.rpartition("@")[2].lower()
    aligned = domain == sender.domain.domain or domain.endswith(f".{sender.domain.domain}")
    return sender.removed_at is None and sender.domain.verified_at is not None and aligned


def people(ids: Sequence[UUID], about: Message, now: datetime) -> dict[UUID, Person]:
    """What the gate asks about these people; who was deleted is absent. At most seven statements, however many."""
    rows = list(Contact.objects.filter(pk__among=ids).only("id", "email_index", "kek_id", "data_key", "sealed"))
    sealed = [SealedRow(row.pk, row.kek_id, bytes(row.data_key), bytes(row.sealed)) for row in rows]
    keys, records = _open(sealed)
    said = consent.queries.facts_for(list(records), about.facts.topic_id)
    hashes = {pk: blind.index("suppression", record.email) for pk, record in records.items() if record.email}
    suppressed = consent.queries.suppressed(hashes.values())
    topic_id = about.facts.topic_id
    topic_out = consent.queries.opted_out_of(topic_id, hashes.values()) if topic_id else set()
    for pk, own in hashes.items():
        if own in topic_out and pk in said:
            said[pk] = consent.queries.bound_by_address(said[pk])
    shared = _shared(rows) if Sensitivity(about.facts.tier).rank >= Sensitivity.PHI.rank else set()
    recent = _recent(list(records), about, now)
    found: dict[UUID, Person] = {}
    for row in rows:
        record = records.get(row.pk)
        if record is None:
            found[row.pk] = Person(RecipientFacts(row.pk, broken=True), Record(), b"")
            continue
        facts = RecipientFacts(
            contact_id=row.pk,
            address=record.email,
            consent=said.get(row.pk),
            suppressed=suppressed.get(hashes[row.pk], "") if row.pk in hashes else "",
            shared_address=row.pk in shared,
            time_zone=str(record.values.get("time_zone") or ""),
            recent=tuple(recent[row.pk]),
        )
        found[row.pk] = Person(facts, record, keys[row.pk])
    return found


def _open(rows: Sequence[SealedRow]) -> tuple[dict[UUID, bytes], dict[UUID, Record]]:
    """Keys and records by contact; a record that does not open is left out and stops nobody else's mail."""
    keys: dict[UUID, bytes] = {}
    records: dict[UUID, Record] = {}
    for row in rows:
        try:
            keys[row.id] = key_of(row)
            records[row.id] = open_record(row, key=keys[row.id])
        except SealBroken:
            log.critical("the record of contact %s does not open", row.id)
    if broken := [row.id for row in rows if row.id not in records]:
        damaged.found(broken)
    return keys, records


def gone(contact_id: UUID) -> RecipientFacts:
    """The facts of somebody who was deleted."""
    return RecipientFacts(contact_id, exists=False)


def _shared(rows: Sequence[Contact]) -> set[UUID]:
    """Those whose address another contact has, too (PRV-24)."""
    indexes = {bytes(row.email_index) for row in rows if row.email_index}
    seen: dict[bytes, int] = defaultdict(int)
    for index in Contact.objects.filter(email_index__among=indexes).values_list("email_index", flat=True):
        seen[bytes(index or b"")] += 1
    return {row.pk for row in rows if row.email_index and seen[bytes(row.email_index)] > 1}


def _recent(ids: list[UUID], about: Message, now: datetime) -> dict[UUID, list[datetime]]:
    """When commercial mail went to them within the cap's days; asked only where there is a cap."""
    found: dict[UUID, list[datetime]] = defaultdict(list)
    if about.policy.cap_messages is None or about.facts.message_class != MessageClass.COMMERCIAL:
        return found
    rows = Delivery.objects.filter(
        contact_id__among=ids,
        outcome__in=(Delivery.Outcome.SENT, Delivery.Outcome.UNKNOWN),
        at__gt=now - timedelta(days=about.policy.cap_days),
        origin__message_class=MessageClass.COMMERCIAL,
    ).values_list("contact_id", "at")
    for contact_id, at in rows:
        found[contact_id].append(at)
    return found
