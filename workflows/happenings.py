"""What happened to people, as rows: written, sealed, opened, and found by keyed hashes that say nothing."""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from phi import seal
from phi.errors import SealBroken
from phi.keyring import keyring
from workflows.errors import UnknownEvent
from workflows.models import EventType

log = logging.getLogger(__name__)

TABLE = "workflows_happening"


@cache
def _key() -> bytes:
    return keyring().secret("workflows:keys")


def _hash(*parts: bytes) -> bytes:
    """Keyed, and no two lists of parts run together."""
    return hmac.digest(_key(), b"".join(len(part).to_bytes(4, "big") + part for part in parts), hashlib.sha256)


def _bytes(text: str) -> bytes:
    return text.strip().encode(errors="surrogatepass")


# -- keyed hashes -----------------------------------------------------------------------------------------------------


def name_index(name: str) -> bytes:
    """What stands in EventType.name_index."""
    return _hash(b"event", _bytes(name).lower())


def key_index(contact_id: UUID, key: str | float) -> bytes:
    """Of one person's event key ("appointment 4711"). The same key in another event is the same: what was booked by
    one is cancelled by the other."""
    return _hash(b"key", contact_id.bytes, _bytes(str(key)))


def date_index(contact_id: UUID, attribute: str, value: str, year: int | None = None) -> bytes:
    """Of one value of a person's date, and of one year of it where it comes every year."""
    return _hash(b"date", contact_id.bytes, _bytes(attribute), _bytes(value), str(year or "").encode())


def idempotency(event: str, sent_as: str) -> bytes:
    """Of what its sender calls an event: the same of the same type is one."""
    return _hash(b"sent as", _bytes(event).lower(), sent_as.encode(errors="surrogatepass"))


# -- types ------------------------------------------------------------------------------------------------------------


def types_named(names: Iterable[str]) -> dict[str, EventType]:
    """The declared event types of these names. One statement."""
    by_index = {name_index(name): name for name in names}
    found = EventType.objects.filter(name_index__in=list(by_index), archived_at=None)
    return {by_index[bytes(row.name_index)]: row for row in found}


def type_named(name: str) -> EventType:
    """Raises UnknownEvent."""
    found = types_named([name]).get(name)
    if found is None:
        raise UnknownEvent("No event of this name is declared. Declare it under Workflows, Events.")
    return found


# -- rows -------------------------------------------------------------------------------------------------------------


class New(NamedTuple):
    """A happening to be written."""

    kind: str
    about: UUID
    contact_id: UUID
    at: datetime
    key_index: bytes | None = None
    idempotency: bytes | None = None
    sealed: bytes | None = None


_WRITE = """
INSERT INTO workflows_happening (kind, about, contact_id, at, key_index, idempotency, sealed)
SELECT kind, about, contact_id, at, key_index, idempotency, sealed
FROM unnest(%s::text[], %s::uuid[], %s::uuid[], %s::timestamptz[], %s::bytea[], %s::bytea[], %s::bytea[])
    WITH ORDINALITY n(kind, about, contact_id, at, key_index, idempotency, sealed, place)
ORDER BY place ON CONFLICT (idempotency) DO NOTHING RETURNING id, idempotency
"""


def write(news: Sequence[New]) -> list[tuple[int, bytes | None]]:
    """Append these in their order, but for those that are there already; answers id and idempotency of the new."""
    if not news:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [list(column) for column in zip(*news, strict=True)])
        return [(row[0], None if row[1] is None else bytes(row[1])) for row in cursor.fetchall()]


def _aad(contact_id: UUID) -> bytes:
    return seal.aad(TABLE, contact_id.bytes)


def sealed(contact_id: UUID, what: Mapping[str, Any], *, key: bytes) -> bytes:
    """Properties, or what changed, as they are stored: under the contact's own data key."""
    return seal.seal(msgspec.msgpack.encode(dict(what)), key=key, aad=_aad(contact_id))


_SEALED = """
SELECT h.id, h.contact_id, c.kek_id, c.data_key, h.sealed
FROM workflows_happening h JOIN contacts_contact c ON c.id = h.contact_id
WHERE h.id = ANY(%s) AND h.sealed IS NOT NULL
"""


def opened(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What these say beside who and when, by id, in one statement; of the deleted, and of those bare, nothing."""
    wanted = list(ids)
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SEALED, [wanted])
        rows = cursor.fetchall()
    plain = seal.open_many((row[2], row[3], row[4], _aad(row[1])) for row in rows)
    return {row[0]: msgspec.msgpack.decode(text) for row, text in zip(rows, plain, strict=True)}


def readable(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """As `opened`, without those that do not open: one that was damaged holds up no other."""
    try:
        return opened(ids)
    except SealBroken:
        if len(ids) == 1:
            log.warning("what happening %s says does not open", ids[0])
            return {}
    half = len(ids) // 2
    return readable(ids[:half]) | readable(ids[half:])
