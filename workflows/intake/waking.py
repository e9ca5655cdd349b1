"""Have somebody look at people where they are: a wake-up carries no meaning, what is so is read then."""

from collections.abc import Mapping
from uuid import UUID

from django.db import connection

from core import clock

_WAKE = """
UPDATE workflows_enrolment e SET wake_at = LEAST(e.wake_at, %s)
FROM unnest(%s::uuid[], %s::uuid[]) n(contact_id, version_id)
WHERE e.contact_id = n.contact_id AND e.version_id = n.version_id AND e.status <> 'left'
"""


def wake(whom: Mapping[UUID, set[UUID]]) -> None:
    """Have somebody look at these people where they are on these versions: contact -> versions."""
    pairs = [(contact_id, version_id) for contact_id, versions in whom.items() for version_id in versions]
    if pairs:
        with connection.cursor() as cursor:
            cursor.execute(_WAKE, [clock.now(), *map(list, zip(*pairs, strict=True))])
