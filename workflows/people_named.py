"""Find the people that a request means: by id, external id or address, all in one statement."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from phi import blind

#: By which of id, external_id and email, and its value.
Named = tuple[str, str]


class Someone(NamedTuple):
    """A person, and what it takes to seal something under their key."""

    id: UUID
    kek_id: str
    data_key: bytes


_FIND = """
SELECT id, kek_id, data_key, email_index, external_index FROM contacts_contact
WHERE id = ANY(%s) OR external_index = ANY(%s) OR email_index = ANY(%s)
"""
NOBODY = {
    "id": "Nobody has this id.",
    "external_id": "Nobody has this external id.",
    "email": "Nobody has this email address.",
}
SEVERAL = "Several people have this email address. Give the external id, or the id."


def find(asked: Iterable[Named]) -> dict[Named, Someone | str]:
    """Who is meant by each; a text: why that cannot be said."""
    wanted = set(asked)
    texts = {name: sorted({value for by, value in wanted if by == name}) for name in NOBODY}
    external = dict(zip(texts["external_id"], blind.indexes("external_id", texts["external_id"]), strict=True))
    email = dict(zip(texts["email"], blind.indexes("email", texts["email"]), strict=True))
    with connection.cursor() as cursor:
        ids = [UUID(text) for text in texts["id"]]
        cursor.execute(_FIND, [ids, list(external.values()), list(email.values())])
        rows = cursor.fetchall()
    found: defaultdict[object, list[Someone]] = defaultdict(list)
    for pk, kek_id, data_key, email_index, external_index in rows:
        someone = Someone(pk, kek_id, bytes(data_key))
        for mark in (str(pk), ("email", bytes(email_index or b"")), ("external_id", bytes(external_index or b""))):
            found[mark].append(someone)
    answers: dict[Named, Someone | str] = {}
    for by, value in wanted:
        mark = value if by == "id" else (by, {"email": email, "external_id": external}[by][value])
        people = found.get(mark, [])
        answers[by, value] = people[0] if len(people) == 1 else SEVERAL if people else NOBODY[by]
    return answers
