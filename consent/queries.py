"""Who said what, set-wise: a fixed number of statements, however many people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

import contacts.queries
from consent.errors import UnknownTopic
from consent.models import Act, Authorization, LedgerEntry, Suppression, Topic
from consent.state import NOTHING_SAID, AuthorizationFacts, ConsentFacts, Row, bound_by_address, facts, last_words
from contacts.models import Contact
from core import clock
from core.purposes import Purpose
from phi import blind
from phi.errors import KeyUnavailable, SealBroken

__all__ = ["AuthorizationFacts", "ConsentFacts", "bound_by_address", "facts_for", "suppressed", "topics"]

# The last word of each strand per person; the plain form of it is state.last_words. A confirmation of an address
# counts while it is still the contact's address.
LAST_WORDS = """
SELECT DISTINCT ON (l.contact_id, strand) l.contact_id, strand, l.id, l.number, l.act, l.topic_id, l.double
FROM consent_ledgerentry l
CROSS JOIN LATERAL (SELECT CASE
    WHEN l.topic_id = %(topic)s AND l.act IN ('opt_in', 'opt_in_voided', 'opt_out') THEN 'topic'
    WHEN l.topic_id IS NOT NULL THEN NULL
    WHEN l.act IN ('opt_out_all', 'opt_in') THEN 'everything'
    WHEN l.act IN ('special_consent', 'special_consent_revoked') THEN 'special'
    WHEN l.act IN ('counting_refused', 'counting_allowed') THEN 'counting'
    WHEN l.act IN ('address_confirmed', 'address_unconfirmed') AND (l.address_index IS NULL OR EXISTS (
        SELECT FROM contacts_contact c WHERE c.id = l.contact_id AND c.email_index = l.address_index)) THEN 'address'
END AS strand) s
WHERE l.contact_id = ANY(%(contacts)s) AND strand IS NOT NULL AND (%(at)s::timestamptz IS NULL OR l.at <= %(at)s)
ORDER BY l.contact_id, strand, l.number DESC
"""

# Recorded and not revoked at that moment. (Each is recorded in the transaction that makes it: now, all of them are.)
AUTHORIZATIONS = """
SELECT a.contact_id, a.id, a.purposes, a.states_remuneration, a.expires_at, a.complete, a.signed_at
FROM consent_authorization a
WHERE a.contact_id = ANY(%(contacts)s)
  AND (%(at)s::timestamptz IS NULL OR EXISTS (SELECT FROM consent_ledgerentry l
       WHERE l.authorization_id = a.id AND l.act = 'authorized' AND l.at <= %(at)s))
  AND NOT EXISTS (SELECT FROM consent_ledgerentry l WHERE l.authorization_id = a.id
                  AND l.act = 'authorization_revoked' AND (%(at)s::timestamptz IS NULL OR l.at <= %(at)s))
"""


def facts_for(
    contact_ids: Iterable[UUID], topic_id: UUID | None, at: datetime | None = None
) -> dict[UUID, ConsentFacts]:
    """What each of these people said about this topic (None: about mail without a topic), now or as of `at`.

    Every id asked for is in the answer; whoever said nothing has the empty facts. Two statements.
    """
    ids = list(contact_ids)
    found: dict[UUID, dict[str, Row]] = {}
    params = {"contacts": ids, "topic": topic_id, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(LAST_WORDS, params)
        for contact_id, strand, *row in cursor.fetchall():
            found.setdefault(contact_id, {})[strand] = Row(*row)
        cursor.execute(AUTHORIZATIONS, params)
        signed = _best(cursor.fetchall(), at or clock.now())
    said = found.keys() | signed.keys()
    return {i: facts(found.get(i, {}), signed.get(i)) if i in said else NOTHING_SAID for i in ids}


def _best(rows: Iterable[Sequence[Any]], now: datetime) -> dict[UUID, AuthorizationFacts]:
    """Of several authorizations of a person the one that carries most: complete, in force, for marketing, newest."""
    best: dict[UUID, tuple[tuple[Any, ...], AuthorizationFacts]] = {}
    for contact_id, authorization_id, purposes, remuneration, expires_at, complete, signed_at in rows:
        in_force = expires_at is None or expires_at > now
        rank = (complete, in_force, Purpose.MARKETING.value in purposes, signed_at, authorization_id)
        if contact_id not in best or best[contact_id][0] < rank:
            fact = AuthorizationFacts(authorization_id, tuple(purposes), remuneration, expires_at, complete)
            best[contact_id] = (rank, fact)
    return {contact_id: fact for contact_id, (_, fact) in best.items()}


def suppressed(address_hashes: Iterable[bytes]) -> dict[bytes, str]:
    """Which of these addresses get nothing, and why. Hashes are `blind.index("suppression", address)`."""
    rows = Suppression.objects.filter(
        address_hash__among=address_hashes, topic__isnull=True, released_at__isnull=True
    ).values_list("address_hash", "reason")
    return {bytes(address_hash): reason for address_hash, reason in rows}


def opted_out_of(topic_id: UUID, address_hashes: Iterable[bytes]) -> set[bytes]:
    """Which of these addresses were opted out of a topic; see state.bound_by_address for whom that binds."""
    rows = Suppression.objects.filter(
        address_hash__among=address_hashes, topic_id=topic_id, released_at__isnull=True
    ).values_list("address_hash", flat=True)
    return {bytes(address_hash) for address_hash in rows}


def address_of(contact_id: UUID) -> str:
    """The contact's address; "" where there is none, no contact any more, or no key to open it with.

    An opt-out must hold even while keys are out of reach: it is the ledger that the gate reads.
    """
    try:
        record = contacts.queries.open_many([contact_id]).get(contact_id)
    except (KeyUnavailable, SealBroken):
        return ""
    return record.email if record else ""


def _topics_out(address: str) -> set[UUID]:
    """The topics an address was opted out of."""
    rows = Suppression.objects.filter(
        address_hash=blind.index("suppression", address), topic__isnull=False, released_at__isnull=True
    ).values_list("topic_id", flat=True)
    return {topic_id for topic_id in rows if topic_id} if address else set()


def live_topics() -> QuerySet[Topic]:
    return Topic.objects.filter(removed_at__isnull=True)


def topics() -> list[Topic]:
    """Live topics, oldest first."""
    return list(live_topics())


def topic(topic_id: UUID) -> Topic:
    """A live topic. Raises UnknownTopic."""
    try:
        return Topic.objects.get(pk=topic_id, removed_at__isnull=True)
    except Topic.DoesNotExist:
        raise UnknownTopic("This topic does not exist or was removed. Choose one from the list of topics.") from None


def topic_by_number(number: int) -> Topic | None:
    """The topic a message token names, removed ones too: an old mail still unsubscribes (CAN-08)."""
    return Topic.objects.filter(number=number).first() if number else None


def receives(found: ConsentFacts, subject: Topic) -> bool:
    """Whether somebody gets mail on a topic as far as their own word goes."""
    if found.opted_out_all or found.opted_out:
        return False
    return found.opted_in is not None or not subject.requires_opt_in


@dataclass(frozen=True, slots=True)
class TopicState:
    topic: Topic
    facts: ConsentFacts
    #: When the word that decides was said; None: nothing was.
    since: datetime | None

    @property
    def receives(self) -> bool:
        return receives(self.facts, self.topic)


def states_of(contact_id: UUID, at: datetime | None = None) -> list[TopicState]:
    """One person's state in every live topic, from their whole ledger; the number of statements is fixed.

    Now, what their address was opted out of counts, too, as it does for the gate; what it was at `at` is not kept.
    """
    rows = LedgerEntry.objects.filter(contact_id=contact_id)
    if at is not None:
        rows = rows.filter(at__lte=at)
    own = Contact.objects.filter(pk=contact_id).values_list("email_index", flat=True).first()
    said: list[Row] = []
    moments: dict[UUID, datetime] = {}
    for key, number, act, topic_id, double, index, moment in rows.values_list(
        "id", "number", "act", "topic_id", "double", "address_index", "at"
    ):
        if index is None or (own is not None and bytes(index) == bytes(own)):
            said.append(Row(key, number, act, topic_id, double))
            moments[key] = moment
    with connection.cursor() as cursor:
        cursor.execute(AUTHORIZATIONS, {"contacts": [contact_id], "at": at})
        signed = _best(cursor.fetchall(), at or clock.now()).get(contact_id)
    states, out = [], _topics_out(address_of(contact_id)) if at is None else set()
    for each in topics():
        last = last_words(said, each.pk)
        found = facts(last, signed)
        if each.pk in out:
            found = bound_by_address(found)
        decides = last.get("everything" if found.opted_out_all else "topic")
        states.append(TopicState(each, found, moments[decides.id] if decides else None))
    return states


def history(contact_id: UUID) -> QuerySet[LedgerEntry]:
    """Everything one person ever said, newest first."""
    return LedgerEntry.objects.filter(contact_id=contact_id).select_related("topic").order_by("-number")


def ledger(
    *,
    contact_ids: Sequence[UUID] | None = None,
    topic_id: UUID | None = None,
    act: str = "",
    source: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> QuerySet[LedgerEntry]:
    """Ledger rows that fit all that is given, newest first; `until` is exclusive."""
    rows = LedgerEntry.objects.select_related("topic").order_by("-number")
    chosen = {
        "contact_id__in": contact_ids,
        "topic_id": topic_id,
        "act": act or None,
        "source": source or None,
        "at__gte": since,
        "at__lt": until,
    }
    return rows.filter(**{key: value for key, value in chosen.items() if value is not None})


def pending_request(contact_id: UUID, topic_id: UUID) -> LedgerEntry | None:
    """The double opt-in this person has yet to confirm: the last word on the topic is the request itself."""
    rows = LedgerEntry.objects.filter(contact_id=contact_id).filter(Q(topic_id=topic_id) | Q(act=Act.OPT_OUT_ALL))
    last = rows.order_by("-number").first()
    return last if last is not None and last.act == Act.OPT_IN_REQUESTED else None


def pending_requests(since: datetime, until: datetime) -> list[tuple[UUID, UUID, UUID]]:
    """Request, contact and topic of the double opt-ins asked for in that time and yet to be confirmed."""
    sql = """
    SELECT l.id, l.contact_id, l.topic_id FROM consent_ledgerentry l
    WHERE l.at >= %s AND l.at < %s AND l.act = 'opt_in_requested' AND l.topic_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM consent_ledgerentry later WHERE later.contact_id = l.contact_id AND later.number > l.number
        AND (later.topic_id = l.topic_id OR later.act = 'opt_out_all'))
    ORDER BY l.at LIMIT 5000
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, [since, until])
        return list(cursor.fetchall())


def counting_refused(contact_id: UUID) -> bool:
    """Whether this person wants no opens and clicks counted (TRK-02)."""
    acts = LedgerEntry.objects.filter(contact_id=contact_id, act__in=[Act.COUNTING_REFUSED, Act.COUNTING_ALLOWED])
    return acts.order_by("-number").values_list("act", flat=True).first() == Act.COUNTING_REFUSED


def authorizations_of(contact_id: UUID) -> list[Authorization]:
    return list(Authorization.objects.filter(contact_id=contact_id).order_by("-signed_at"))


def revoked_authorizations(contact_id: UUID) -> set[UUID]:
    rows = LedgerEntry.objects.filter(contact_id=contact_id, act=Act.AUTHORIZATION_REVOKED)
    return {i for i in rows.values_list("authorization_id", flat=True) if i is not None}


def entry(ledger_id: UUID) -> LedgerEntry | None:
    return LedgerEntry.objects.select_related("topic").filter(pk=ledger_id).first()


def suppressions() -> QuerySet[Suppression]:
    """Addresses that get nothing now, newest first."""
    return Suppression.objects.filter(topic__isnull=True, released_at__isnull=True).order_by("-at", "-pk")
