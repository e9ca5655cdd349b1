"""What the ledger adds up to. Pure: the last word of each kind counts, and a later yes lifts an earlier no.

Strands per person decide about a topic: the topic's own acts, the acts about everything (opting out of
everything, and taking that back), and what was said about address, authorization, special categories and counting.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from consent.models import Act

#: Acts that follow each other within one strand; the last of them stands.
TOPIC = frozenset({Act.OPT_IN, Act.OPT_IN_VOIDED, Act.OPT_OUT})
EVERYTHING = frozenset({Act.OPT_OUT_ALL, Act.OPT_IN})
ADDRESS = frozenset({Act.ADDRESS_CONFIRMED, Act.ADDRESS_UNCONFIRMED})
SPECIAL = frozenset({Act.SPECIAL_CONSENT, Act.SPECIAL_CONSENT_REVOKED})
COUNTING = frozenset({Act.COUNTING_REFUSED, Act.COUNTING_ALLOWED})


@dataclass(frozen=True, slots=True)
class AuthorizationFacts:
    """A signed authorization, not revoked. Whether it covers a message now is the gate's to say (45 CFR 164.508)."""

    id: UUID
    purposes: tuple[str, ...]
    states_remuneration: bool
    expires_at: datetime | None
    complete: bool


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """What one person said, as far as it bears on one topic. The UUIDs are ledger rows: the basis of a decision."""

    opted_in: UUID | None = None
    double: bool = False
    opted_out: bool = False
    opted_out_all: bool = False
    address_confirmed: UUID | None = None
    authorization: AuthorizationFacts | None = None
    special_consent: UUID | None = None
    #: TRK-02: the person wants no opens and clicks counted.
    counting_refused: bool = False


NOTHING_SAID = ConsentFacts()


@dataclass(frozen=True, slots=True)
class Row:
    """A ledger row, as far as the state depends on it."""

    id: UUID
    number: int
    act: str
    topic_id: UUID | None = None
    double: bool = False


def strand_of(row: Row, topic_id: UUID | None) -> str | None:
    """The strand a row belongs to when asked about this topic; None: it has no say there."""
    if row.topic_id is not None:
        return "topic" if row.topic_id == topic_id and row.act in TOPIC else None
    strands = (("everything", EVERYTHING), ("address", ADDRESS), ("special", SPECIAL), ("counting", COUNTING))
    for name, acts in strands:
        if row.act in acts:
            return name
    return None


def last_words(rows: Iterable[Row], topic_id: UUID | None) -> dict[str, Row]:
    """The last row of each strand. What SQL does in `consent.queries`, said plainly."""
    last: dict[str, Row] = {}
    for row in rows:
        strand = strand_of(row, topic_id)
        if strand and (strand not in last or last[strand].number < row.number):
            last[strand] = row
    return last


def facts(last: Mapping[str, Row], authorization: AuthorizationFacts | None = None) -> ConsentFacts:
    """The current state that these last words amount to."""
    topic, everything = last.get("topic"), last.get("everything")
    yes = topic if topic is not None and topic.act == Act.OPT_IN else None
    out_of_all = everything is not None and everything.act == Act.OPT_OUT_ALL
    if out_of_all and yes is not None and everything is not None:
        out_of_all = yes.number < everything.number
    address, special, counting = last.get("address"), last.get("special"), last.get("counting")
    return ConsentFacts(
        opted_in=yes.id if yes else None,
        double=bool(yes and yes.double),
        opted_out=topic is not None and topic.act == Act.OPT_OUT,
        opted_out_all=out_of_all,
        address_confirmed=address.id if address and address.act == Act.ADDRESS_CONFIRMED else None,
        authorization=authorization,
        special_consent=special.id if special and special.act == Act.SPECIAL_CONSENT else None,
        counting_refused=counting is not None and counting.act == Act.COUNTING_REFUSED,
    )


def bound_by_address(found: ConsentFacts) -> ConsentFacts:
    """What holds where the address was opted out of the topic, by a contact deleted since for instance (CAN-13).

    Only this person's own word on the topic outdoes it.
    """
    return found if found.opted_in or found.opted_out else replace(found, opted_out=True)
