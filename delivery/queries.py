"""What happened, in words and numbers. Nothing here opens a person but `domains_of`, `forecast` and `reproduce`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Count, QuerySet, Sum

import contacts.queries
from contacts.models import Contact
from contacts.seal import SealedRow, key_of
from content.models import TemplateVersion
from core import clock
from delivery import facts
from delivery.errors import NotReproducible
from delivery.facts import Message
from delivery.gate import Verdict, decide
from delivery.messages import content_of, open_merged, unsigned
from delivery.models import Delivery, Origin, Retry, Sender, Tally
from delivery.origins import drained


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an origin is. `rate`: messages handed over a second, over the last 15 seconds."""

    total: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict)
    refused_by_reason: dict[str, int] = field(default_factory=dict)
    #: Put off by the relay, by quiet hours or by the cap; they have no outcome yet.
    retrying: int = 0
    rate: float = 0.0
    state: str = ""

    @property
    def done(self) -> int:
        return sum(self.by_outcome.values())

    @property
    def sent(self) -> int:
        return self.by_outcome.get(Delivery.Outcome.SENT, 0)

    @property
    def refused(self) -> int:
        return self.by_outcome.get(Delivery.Outcome.REFUSED, 0)

    @property
    def failed(self) -> int:
        return self.by_outcome.get(Delivery.Outcome.FAILED, 0)

    @property
    def waiting(self) -> int:
        return self.total - self.done

    @property
    def seconds_left(self) -> int | None:
        """None where nothing moves."""
        return round(self.waiting / self.rate) if self.rate else None


# A trigger keeps delivery_tally: the sum of its counts is exact, and a thousand times shorter than what it counts.
PROGRESS = """
SELECT outcome, CASE WHEN outcome = 'refused' THEN reason ELSE '' END, sum(count)::bigint,
       coalesce(sum(count) FILTER (WHERE outcome = 'sent' AND at > %(since)s), 0)::bigint
FROM delivery_tally WHERE origin_id = %(origin)s GROUP BY 1, 2
"""
# Once drained, everybody has an outcome; until then the batches say who is to have one, which takes reading them.
TOTALS = """
SELECT o.state,
       CASE WHEN o.drained_at IS NOT NULL
            THEN (SELECT coalesce(sum(t.count), 0) FROM delivery_tally t WHERE t.origin_id = o.id)
            ELSE (SELECT coalesce(sum(cardinality(b.contact_ids)), 0) FROM delivery_sendbatch b
                  WHERE b.origin_id = o.id)
       END,
       (SELECT count(*) FROM delivery_retry t JOIN delivery_sendbatch b ON b.id = t.batch_id WHERE b.origin_id = o.id)
FROM delivery_origin o WHERE o.id = %(origin)s
"""


def progress(origin_id: UUID) -> Progress:
    """How far an origin is, in two statements. A refusal is counted under the first of its reasons."""
    span = 15
    params: dict[str, UUID | datetime] = {"origin": origin_id, "since": clock.now() - timedelta(seconds=span)}
    with connection.cursor() as cursor:
        cursor.execute(TOTALS, params)
        totals = cursor.fetchone()
        if totals is None:
            return Progress()
        cursor.execute(PROGRESS, params)
        rows = cursor.fetchall()
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    recent = 0
    for outcome, reason, count, lately in rows:
        outcomes[outcome] += count
        recent += lately
        if reason:
            reasons[reason] += count
    return Progress(int(totals[1]), dict(outcomes), dict(reasons.most_common()), totals[2], recent / span, totals[0])


def is_drained(origin_id: UUID) -> bool:
    """Whether every recipient of every batch has an outcome."""
    return drained(Origin.objects.filter(pk=origin_id)).exists()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the gate would say now. `by_reason` counts each refused person once, under the first reason."""

    total: int = 0
    allowed: int = 0
    deferred: int = 0
    refused: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)


def message_facts(
    *,
    stream: str,
    template_version: TemplateVersion,
    sender: Sender,
    tier: str,
    topic_id: UUID | None,
    approved_digest: bytes | None = None,
) -> Message:
    """A message's facts before it is opened as an origin; without a digest as if approved as it stands."""
    digest = bytes(approved_digest or template_version.digest)
    return facts.message(
        stream=stream,
        template_version=template_version,
        sender=sender,
        tier=tier,
        topic_id=topic_id,
        approved_digest=digest,
        now=clock.now(),
    )


def forecast(about: Message, contact_ids: Sequence[UUID]) -> Forecast:
    """The same gate, dry: how many would leave now, and why the others would not."""
    now = clock.now()
    verdicts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for at in range(0, len(contact_ids), 2000):
        ids = contact_ids[at : at + 2000]
        people = facts.people(ids, about, now)
        for contact_id in ids:
            person = people.get(contact_id)
            decision = decide(about.facts, person.facts if person else facts.gone(contact_id), about.policy, now)
            verdicts[decision.verdict] += 1
            if decision.verdict == Verdict.REFUSE:
                reasons[decision.reasons[0]] += 1
    return Forecast(
        len(contact_ids),
        verdicts[Verdict.ALLOW],
        verdicts[Verdict.DEFER],
        verdicts[Verdict.REFUSE],
        dict(reasons.most_common()),
    )


def failures_by_status(origin_id: UUID) -> dict[str, int]:
    """Failed messages by SMTP status (enhanced where the server gave one), the most frequent first."""
    rows = (
        Tally.objects.filter(origin_id=origin_id, outcome=Delivery.Outcome.FAILED)
        .values_list("smtp_code", "smtp_status")
        .annotate(found=Sum("count"))
        .order_by("-found", "smtp_code", "smtp_status")
    )
    return {f"{code or ''} {status}".strip() or "none": count for code, status, count in rows}


def bounced(origin_id: UUID) -> int:
    """How many messages met an address that does not exist."""
    failed = Tally.objects.filter(origin_id=origin_id, outcome=Delivery.Outcome.FAILED, reason="bounced")
    return int(failed.aggregate(found=Sum("count"))["found"] or 0)


def counts_by_origin(ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Outcomes of many origins in one statement, for lists."""
    found: dict[UUID, dict[str, int]] = {pk: {} for pk in ids}
    rows = Tally.objects.filter(origin_id__in=ids).values_list("origin_id", "outcome").annotate(found=Sum("count"))
    for origin_id, outcome, count in rows:
        found[origin_id][outcome] = count
    return found


@dataclass(frozen=True, slots=True)
class Ends:
    """How mails of an origin ended. A refusal is counted under the first of its reasons."""

    by_outcome: Counter[str] = field(default_factory=Counter)
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    #: Of those that failed: the address does not exist.
    bounced: int = 0

    def __add__(self, other: "Ends") -> "Ends":
        return Ends(
            self.by_outcome + other.by_outcome,
            self.refused_by_reason + other.refused_by_reason,
            self.bounced + other.bounced,
        )


def ends_by_origin(ids: Sequence[UUID]) -> dict[UUID, Ends]:
    """How the mails of many origins ended and why, in one statement."""
    found: dict[UUID, Ends] = {pk: Ends() for pk in ids}
    rows = Tally.objects.filter(origin_id__in=ids).values_list("origin_id", "outcome", "reason")
    for origin_id, outcome, reason, count in rows.annotate(found=Sum("count")):
        ends = Ends(Counter({outcome: count}))
        if outcome == Delivery.Outcome.REFUSED:
            ends = Ends(ends.by_outcome, Counter({reason: count}))
        elif outcome == Delivery.Outcome.FAILED and reason == "bounced":
            ends = Ends(ends.by_outcome, bounced=count)
        found[origin_id] += ends
    return found


def counts_since(moment: datetime) -> dict[str, int]:
    """Outcomes since then, of all origins."""
    rows = Tally.objects.filter(at__gt=moment).values_list("outcome").annotate(found=Sum("count"))
    return dict(rows)


#: domain -> outcome -> how many
Domains = dict[str, Counter[str]]


def domains_of(origin_id: UUID, *, after: UUID | None, size: int) -> tuple[Domains, UUID | None, int]:
    """Outcomes by the recipients' mail domain, of at most `size` deliveries, in the order of their recipients.

    Starts beyond `after`; answers counts, the last one it saw (None: there are no more) and how many it saw. Opens
    addresses. For origins that write to each person once.
    """
    rows = Delivery.objects.filter(origin_id=origin_id).order_by("contact_id").values_list("contact_id", "outcome")
    seen = list((rows.filter(contact_id__gt=after) if after else rows)[:size])
    opened = contacts.queries.open_many([contact_id for contact_id, _ in seen])
    found: Domains = {}
    for contact_id, outcome in seen:
        record = opened.get(contact_id)
        domain = record.email.rpartition("@")[2].lower() if record and record.email else "unknown"
        found.setdefault(domain, Counter())[outcome] += 1
    return found, seen[-1][0] if len(seen) == size else None, len(seen)


def ranked(domains: Mapping[str, Mapping[str, int]], *, top: int = 20) -> list[tuple[str, dict[str, int]]]:
    """The largest domains first, the rest as one."""
    found = sorted(domains.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))
    rest = Counter[str]()
    for _, counted in found[top:]:
        rest.update(counted)
    shown = [(domain, dict(counted)) for domain, counted in found[:top]]
    return [*shown, ("other domains", dict(rest))] if rest else shown


def over_time(origin_id: UUID, *, buckets: int = 60) -> list[tuple[datetime, int]]:
    """How many were sent, in at most `buckets` equal steps from the first to the last; each with its start."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH span AS (
                SELECT min(at) AS first, greatest(extract(epoch FROM max(at) - min(at)), 1) AS seconds
                FROM delivery_tally WHERE origin_id = %(origin)s AND outcome = 'sent'
            ), step AS (SELECT first, greatest(ceil(seconds / %(buckets)s), 1)::int AS seconds FROM span)
            SELECT date_bin(make_interval(secs => step.seconds), d.at, step.first) AS start, sum(d.count)::bigint
            FROM delivery_tally d, step WHERE d.origin_id = %(origin)s AND d.outcome = 'sent'
            GROUP BY 1 ORDER BY 1
            """,
            {"origin": origin_id, "buckets": buckets},
        )
        return [(start, count) for start, count in cursor.fetchall()]


def of_contact(contact_id: UUID) -> "QuerySet[Delivery]":
    """One person's messages, newest first."""
    return Delivery.objects.filter(contact_id=contact_id).select_related("origin").order_by("-at", "-pk")


def waiting_for(contact_id: UUID) -> "QuerySet[Retry]":
    return Retry.objects.filter(contact_id=contact_id).select_related("batch").order_by("due_at")


def _sealed(contact: Contact) -> SealedRow:
    return SealedRow(contact.pk, contact.kek_id, bytes(contact.data_key), bytes(contact.sealed))


def reproduce(delivery: Delivery) -> bytes:
    """The message as it was handed over, before DKIM's own fields, byte for byte. Raises NotReproducible.

    The caller audits: this opens PHI.
    """
    contact = Contact.objects.filter(pk=delivery.contact_id).first()
    if contact is None or delivery.merge_values is None:
        raise NotReproducible("The person was deleted and with them the key to this message, or it was never made.")
    origin = Origin.objects.select_related("template_version", "sender__domain").get(pk=delivery.origin_id)
    merged = open_merged(delivery.pk, bytes(delivery.merge_values), key=key_of(_sealed(contact)))
    return unsigned(origin, content_of(origin), delivery.contact_id, merged, number=delivery.pk, at=delivery.at)


@dataclass(frozen=True, slots=True)
class Health:
    """How the door stands now."""

    #: Recipients queued and due, and recipients put off, by stream.
    queued: dict[str, int]
    put_off: dict[str, int]
    #: Outcomes of the last hour.
    last_hour: dict[str, int]
    #: Handed over, and nobody knows whether they arrived: the newest of the last 30 days.
    unknown: list[Delivery]


QUEUED = """
SELECT b.stream, sum(cardinality(b.contact_ids)) - coalesce(sum(d.done), 0)
FROM delivery_sendbatch b JOIN delivery_origin o ON o.id = b.origin_id AND o.state = 'OPEN'
LEFT JOIN LATERAL (SELECT count(*) AS done FROM delivery_delivery d WHERE d.batch_id = b.id) d ON true
WHERE b.done_at IS NULL AND b.due_at <= %s GROUP BY 1
"""


def health(*, unknown: int = 20) -> Health:
    """Queue depth, the last hour, and what is unknown, in four statements."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute(QUEUED, [now])
        queued = {stream: int(count) for stream, count in cursor.fetchall()}
    waits = Retry.objects.values_list("batch__stream").annotate(count=Count("pk"))
    lost = Delivery.objects.filter(outcome=Delivery.Outcome.UNKNOWN, at__gt=now - timedelta(days=30)).order_by("-at")
    return Health(queued, dict(waits), counts_since(now - timedelta(hours=1)), list(lost[:unknown]))
