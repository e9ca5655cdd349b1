"""Append to the ledger: one row through the ORM, many through COPY."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from consent.evidence import checked
from consent.models import Act, LedgerEntry
from core import clock
from core.actors import By, actor_of
from core.ids import uuid7

#: Acts after which less may be sent than before: they wait for senders (contacts.locks).
WITHDRAWALS = frozenset(
    {
        Act.OPT_OUT,
        Act.OPT_OUT_ALL,
        Act.OPT_IN_VOIDED,
        Act.ADDRESS_UNCONFIRMED,
        Act.AUTHORIZATION_REVOKED,
        Act.SPECIAL_CONSENT_REVOKED,
    }
)


@dataclass(frozen=True, slots=True)
class NewAct:
    """An act to be written. `evidence`: see consent.evidence; share one mapping between rows that share it."""

    contact_id: UUID
    act: str
    source: str
    topic_id: UUID | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    authorization_id: UUID | None = None
    double: bool = False
    address_index: bytes | None = None
    import_id: UUID | None = None


def append(new: NewAct, *, by: By) -> LedgerEntry:
    actor = actor_of(by)
    return LedgerEntry.objects.create(
        contact_id=new.contact_id,
        topic_id=new.topic_id,
        act=new.act,
        at=clock.now(),
        source=new.source,
        evidence=checked(new.act, new.evidence),
        recorded_by_kind=actor.kind,
        recorded_by=actor.id,
        authorization_id=new.authorization_id,
        double=new.double,
        address_index=new.address_index,
        import_id=new.import_id,
    )


_COLUMNS = (
    "id, contact_id, topic_id, act, at, source, evidence, recorded_by_kind, recorded_by, authorization_id, double,"
    " address_index, import_id"
)


def append_many(acts: Sequence[NewAct], *, by: By) -> datetime:
    """Append rows in their order with one COPY; returns the moment they bear. Evidence is sealed once per mapping."""
    actor, at = actor_of(by), clock.now()
    column = LedgerEntry._meta.get_field("evidence")
    sealed: dict[tuple[int, str], str] = {}
    with connection.cursor() as cursor, cursor.copy(f"COPY consent_ledgerentry ({_COLUMNS}) FROM STDIN") as copy:
        for new in acts:
            key = (id(new.evidence), new.act)
            if key not in sealed:
                sealed[key] = column.get_db_prep_save(checked(new.act, new.evidence), connection)
            copy.write_row(
                (
                    uuid7(),
                    new.contact_id,
                    new.topic_id,
                    new.act,
                    at,
                    new.source,
                    sealed[key],
                    actor.kind,
                    actor.id,
                    new.authorization_id,
                    new.double,
                    new.address_index,
                    new.import_id,
                )
            )
    return at
