"""What the ledger adds up to. Pure: the last word of each kind counts, and a later yes lifts an earlier no.

Three strands per person decide about a topic: the topic's own acts, the acts about everything (opting out of
everything, and taking that back), and what was said about address, authorization and special categories.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consent.models import Act

#: Acts that follow each other within one strand; the last of them stands.
TOPIC = frozenset({Act.OPT_IN, Act.OPT_IN_VOIDED, Act.OPT_OUT})
EVERYTHING = frozenset({Act.OPT_OUT_ALL, Act.OPT_IN})
ADDRESS = frozenset({Act.ADDRESS_CONFIRMED})
SPECIAL = frozenset({Act.SPECIAL_CONSENT, Act.SPECIAL_CONSENT_REVOKED})
REQUEST = frozenset({Act.OPT_IN_REQUESTED})


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
    for name, acts in (("everything", EVERYTHING), ("address", ADDRESS), ("special", SPECIAL)):
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
    address, special = last.get("address"), last.get("special")
    return ConsentFacts(
        opted_in=yes.id if yes else None,
        double=bool(yes and yes.double),
        opted_out=topic is not None and topic.act == Act.OPT_OUT,
        opted_out_all=out_of_all,
        address_confirmed=address.id if address else None,
        authorization=authorization,
        special_consent=special.id if special and special.act == Act.SPECIAL_CONSENT else None,
    )
