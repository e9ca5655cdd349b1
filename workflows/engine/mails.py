"""The mails of journeys: handed to the door, asked about, and taken back where somebody leaves meanwhile."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection

import delivery.commands
from core.actors import SYSTEM
from delivery.ids import delivery_id
from delivery.models import Origin
from tracking.sums import JUDGED
from tracking.verdict import BURST
from workflows.models import VersionMail
from workflows.step import Mailing


class Letter(NamedTuple):
    """One mail at one visit; `visit` is what the door calls it."""

    origin_id: UUID
    contact_id: UUID
    visit: str

    @property
    def delivery_id(self) -> UUID:
        return delivery_id(self.origin_id, self.contact_id, self.visit)


def visit_of(sequence: int, visit: int) -> str:
    """What the door calls a visit: for one journey and person no two are the same."""
    return f"{sequence}.{visit}"


def hand_over(letters: Iterable[Letter], now: datetime) -> None:
    """Queue these mails; three statements for each mail step and visit number. Raises NoSuchOrigin, OriginCancelled.

    Origins in the order of their ids, which is the order everybody locks them in.
    """
    groups: dict[tuple[UUID, str], list[UUID]] = defaultdict(list)
    for letter in letters:
        groups[letter.origin_id, letter.visit].append(letter.contact_id)
    last = dict(sorted(groups))
    for (origin_id, visit), people in sorted(groups.items()):
        start = last[origin_id] == visit  # one job for all of them
        delivery.commands.add_batches(Origin(pk=origin_id), people, due_at=now, visit=visit, start=start)


def outcomes(ids: Iterable[UUID]) -> dict[UUID, str]:
    """What became of these mails, as far as that is decided. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, outcome FROM delivery_delivery WHERE id = ANY(%s)", [list(ids)])
        return dict(cursor.fetchall())


# Verdicts as they are now: of links visited in a burst none was a person's (TRK-06).
_CAME_BACK = f"""
SELECT DISTINCT delivery_id, kind FROM ({JUDGED.format(where="delivery_id = ANY(%(ids)s)")}) j
WHERE verdict = 'human' AND kind IN ('open', 'click')
"""  # noqa: S608 -- constants
_LATEST = """
SELECT DISTINCT ON (enrolment_id) enrolment_id, made FROM workflows_transition
WHERE enrolment_id = ANY(%s) AND step = %s ORDER BY enrolment_id, visit DESC
"""


def latest(enrolments: Sequence[int], step: str, just: Mapping[int, UUID | None]) -> dict[int, Mailing]:
    """What became of the latest mail of a step, by enrolment; `just`: those made in this claim, not yet written."""
    made = dict(just)
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, [[pk for pk in enrolments if pk not in just], step])
        made.update(cursor.fetchall())
        mails = {pk: mail for pk, mail in made.items() if mail is not None}
        decided = outcomes(mails.values())
        cursor.execute(_CAME_BACK, {"ids": list(mails.values()), "burst": BURST.total_seconds()})
        did = set(cursor.fetchall())
    return {
        pk: Mailing(decided[mail], opened=(mail, "open") in did, clicked=(mail, "click") in did)
        for pk, mail in mails.items()
        if mail in decided
    }


class Awaited(NamedTuple):
    """A mail somebody was waiting for the end of when they left."""

    workflow_id: UUID
    contact_id: UUID
    visit: str
    delivery_id: UUID


def take_back(awaited: Sequence[Awaited]) -> int:
    """See to it that what is not handed over yet of these does not leave any more; how many.

    Waits for a window of sending under way (seconds at most). In the caller's transaction, before it hands over mail:
    the door, too, locks batches before origins.
    """
    if not awaited:
        return 0
    journeys = {mail.workflow_id for mail in awaited}
    origins: dict[UUID, list[UUID]] = defaultdict(list)
    for workflow_id, pk in VersionMail.objects.filter(version__workflow__in=journeys).values_list(
        "version__workflow", "pk"
    ):
        origins[workflow_id].append(pk)
    # Who was moved to another version may wait for a mail of the one before: the id tells which.
    letters = [
        letter
        for mail in awaited
        for origin_id in origins[mail.workflow_id]
        if (letter := Letter(origin_id, mail.contact_id, mail.visit)).delivery_id == mail.delivery_id
    ]
    return delivery.commands.withdraw_messages(letters, by=SYSTEM)
