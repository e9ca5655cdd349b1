"""Who of a file was seen already: kept in a table by keyed hash, so that memory stays flat however long the file."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from contacts import upsert
from contacts.mapping import Batch
from contacts.models import Import

UNCHANGED, CHANGED = 0, 1

#: Keys go to the server as one value; 32 bytes each.
_GIVEN = (
    "WITH given AS (SELECT i, substring(%s::bytea FROM 32 * i + 1 FOR 32) AS digest, (%s::int[])[i + 1] AS number"
    " FROM generate_series(0, %s - 1) AS i)"
)
_REMEMBER = f"""{_GIVEN}, fresh AS (
  INSERT INTO contacts_importkey (owner_id, digest, row, outcome) SELECT %s, digest, number, 0 FROM given
  ON CONFLICT DO NOTHING RETURNING digest)
SELECT given.i, known.row FROM given LEFT JOIN fresh USING (digest)
LEFT JOIN contacts_importkey known ON known.owner_id = %s AND known.digest = given.digest
WHERE fresh.digest IS NULL
"""  # noqa: S608  two constants
_SEEN = f"""{_GIVEN} SELECT given.i, known.outcome FROM given
JOIN contacts_importkey known ON known.owner_id = %s AND known.digest = given.digest"""  # noqa: S608  two constants
_RAISE = f"""{_GIVEN} INSERT INTO contacts_importkey (owner_id, digest, row, outcome)
SELECT %s, digest, 0, number FROM given ON CONFLICT (owner_id, digest)
DO UPDATE SET outcome = greatest(contacts_importkey.outcome, excluded.outcome)"""  # noqa: S608  two constants


def _given(keys: Sequence[bytes], numbers: Sequence[int]) -> list[Any]:
    return [b"".join(keys), "{" + ",".join(map(str, numbers)) + "}", len(keys)]


def refuse_repeated(owner: Import, batch: Batch) -> None:
    """Take out people who stood in the file before, and remember the others. One statement for the chunk.

    Also counts who has an address that somebody else of the file has, too: said on the page, never refused.
    """
    externals, emails = batch.marks.externals, batch.marks.emails
    first: dict[bytes, int] = {}
    for place, identity in enumerate(map(_either, externals, emails)):
        if identity:
            first.setdefault(identity, place)
    addresses = {place: b"@" + (emails[place] or b"")[1:] for place in first.values() if externals[place]}
    shared = dict.fromkeys(address for address in addresses.values() if len(address) > 1)
    keys = [*first, *shared]
    before: dict[bytes, int] = {}
    if keys:
        lines = [*(batch.lines[place] for place in first.values()), *(0 for _ in shared)]
        with connection.cursor() as cursor:
            cursor.execute(_REMEMBER, [*_given(keys, lines), owner.pk, owner.pk])
            before = {keys[i]: line for i, line in cursor.fetchall()}
    keep, seen, sharing = [], set(before), 0
    for place, identity in enumerate(map(_either, externals, emails)):
        if identity is None or (first[identity] == place and identity not in before):
            keep.append(place)
            if (address := addresses.get(place)) in shared:
                sharing += address in seen
                seen.add(address)
            continue
        line = before.get(identity) or batch.lines[first[identity]]
        batch.refused[batch.places[place][0]] = (
            f"the same external id is on line {line}"
            if externals[place]
            else f"the same email address is on line {line}, and no external id tells the two people apart"
        )
    if len(keep) < len(batch.people):
        batch.keep(keep)
    owner.problems = {**owner.problems, "shared_addresses": owner.problems.get("shared_addresses", 0) + sharing}


def _either(external: bytes | None, email: bytes | None) -> bytes | None:
    return external or email


def count_each_once(owner: Import, planned: upsert.Plan, batch: Batch) -> None:
    """Count people of a coded file, each once, though their rows may lie in several chunks."""
    now = dict.fromkeys(planned.unchanged, UNCHANGED) | {change.position: CHANGED for change in planned.changes}
    outcomes = list(now.values())
    given = _given([batch.marks.externals[position] or b"" for position in now], outcomes)
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, [*given, owner.pk])
        before = dict(cursor.fetchall())
        cursor.execute(_RAISE, [*given, owner.pk])
    for i, outcome in enumerate(outcomes):
        prior = before.get(i)
        if prior is None:
            owner.changed_count += outcome == CHANGED
            owner.unchanged_count += outcome == UNCHANGED
        elif prior < outcome:
            owner.changed_count += 1
            owner.unchanged_count -= 1
