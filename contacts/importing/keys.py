"""Who of a file was seen already: kept in a table by keyed hash, so that memory stays flat however long the file."""

from collections.abc import Mapping

from django.db import connection

from contacts import upsert
from contacts.csvfile import Row
from contacts.mapping import Batch
from contacts.models import Import, ImportKey
from phi import blind

UNCHANGED, CHANGED, ADDRESS = 0, 1, 9


def _identity(person: upsert.Person) -> tuple[str, bytes] | None:
    for name in ("external_id", "email"):
        if value := person.values.get(name):
            return name, blind.index(name, str(value))
    return None


def _insert(owner: Import, lines: Mapping[bytes, int], outcome: int) -> set[bytes]:
    """Remember these; which of them were new."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_importkey (owner_id, digest, row, outcome)"
            " SELECT %s, n.digest, n.row, %s FROM unnest(%s::bytea[], %s::int[]) AS n(digest, row)"
            " ON CONFLICT DO NOTHING RETURNING digest",
            [owner.pk, outcome, list(lines), list(lines.values())],
        )
        return {bytes(row[0]) for row in cursor.fetchall()}


def _seen(owner: Import, digests: list[bytes], column: str) -> dict[bytes, int]:
    if not digests:
        return {}
    found = ImportKey.objects.filter(owner=owner, digest__in=digests).values_list("digest", column)
    return {bytes(digest): value for digest, value in found}


def refuse_repeated(owner: Import, rows: list[Row], batch: Batch) -> None:
    """Take out people who stood in the file before and remember the others: two statements for the chunk."""
    identities = [_identity(person) for person in batch.people]
    first: dict[bytes, int] = {}
    for place, identity in enumerate(identities):
        if identity:
            first.setdefault(identity[1], place)
    fresh = _insert(owner, {d: rows[batch.places[place][0]].line for d, place in first.items()}, UNCHANGED)
    lines = _seen(owner, [digest for digest in first if digest not in fresh], "row")
    keep = []
    for place, identity in enumerate(identities):
        if identity is None or (identity[1] in fresh and first[identity[1]] == place):
            keep.append(place)
            continue
        name, digest = identity
        line = lines.get(digest) or rows[batch.places[first[digest]][0]].line
        batch.refused[batch.places[place][0]] = (
            f"the same external id is on line {line}"
            if name == "external_id"
            else f"the same email address is on line {line}, and no external id tells the two people apart"
        )
    batch.people = [batch.people[place] for place in keep]
    batch.places = [batch.places[place] for place in keep]


def count_each_once(owner: Import, planned: upsert.Plan, batch: Batch) -> None:
    """Count people of a coded file, each once, though their rows may lie in several chunks."""
    now = dict.fromkeys(planned.unchanged, UNCHANGED) | {change.position: CHANGED for change in planned.changes}
    digests = {p: blind.index("external_id", str(batch.people[p].values["external_id"])) for p in now}
    before = _seen(owner, list(digests.values()), "outcome")
    for p, outcome in now.items():
        prior = before.get(digests[p])
        if prior is None:
            owner.changed_count += outcome == CHANGED
            owner.unchanged_count += outcome == UNCHANGED
        elif prior < outcome:
            owner.changed_count += 1
            owner.unchanged_count -= 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts_importkey (owner_id, digest, row, outcome)"
            " SELECT %s, n.digest, 0, n.outcome FROM unnest(%s::bytea[], %s::int[]) AS n(digest, outcome)"
            " ON CONFLICT (owner_id, digest)"
            " DO UPDATE SET outcome = greatest(contacts_importkey.outcome, excluded.outcome)",
            [owner.pk, [digests[p] for p in now], list(now.values())],
        )


def count_shared_addresses(owner: Import, batch: Batch) -> None:
    """How many people of the file have an address that somebody else in it has, too. Said, never refused."""
    digests = [
        b"@" + blind.index("email", str(person.values["email"]))[1:]
        for person in batch.people
        if person.values.get("email") and person.values.get("external_id")
    ]
    fresh = _insert(owner, dict.fromkeys(digests, 0), ADDRESS) if digests else set()
    shared = owner.problems.get("shared_addresses", 0) + len(digests) - len(fresh)
    owner.problems = {**owner.problems, "shared_addresses": shared}
