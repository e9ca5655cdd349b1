"""What no row tells of: that a moment came, and that a rule began or ceased to hold. Looked for each minute."""

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import connection
from pyroaring import BitMap

from core import clock
from core.errors import DomainError
from workflows import rules
from workflows.intake import homes
from workflows.intake.matching import enter
from workflows.language.definition import ByDate, GoalExit, SegmentLeft
from workflows.watched import Version, Watched

log = logging.getLogger(__name__)


def look(watched: Watched) -> None:
    """One look; one journey's trouble never holds others."""
    try:
        homes.look(watched)
    except Exception:  # the next look goes on with it
        log.exception("whoever waits by where the organization is was not looked at")
    for version in watched.versions:
        try:
            if version.lets_in and isinstance(version.definition.trigger, ByDate):
                homes.looked(version, clock.now(), enter)
            wake_leaving(version)
        except DomainError as refusal:  # its page says what is wrong with the rule
            log.warning("version %s was not looked at: %s", version.id, refusal.code)
        except Exception:
            log.exception("version %s was not looked at", version.id)


# What was missed, however it was: whoever waits for the end of a mail or call that has ended.
_MISSED = """
UPDATE workflows_enrolment e SET wake_at = %s WHERE e.status = 'active' AND e.awaits IS NOT NULL AND e.wake_at IS NULL
  AND (EXISTS (SELECT FROM delivery_delivery d WHERE d.id = e.awaits)
       OR EXISTS (SELECT FROM workflows_call c WHERE c.id = e.awaits AND c.state <> 'waiting'))
"""


def wake_missed() -> int:
    """Wake whom nothing else would wake any more; how many. Asks once for each mail and call on its way."""
    with connection.cursor() as cursor:
        cursor.execute(_MISSED, [clock.now()])
        return int(cursor.rowcount)


_INSIDE = "SELECT contact_number FROM workflows_enrolment WHERE version_id = %s AND status <> 'left'"


def wake_leaving(version: Version) -> int:
    """Wake those inside for whom a goal holds, or who are not in the segment they have to be in; how many."""
    exits = [rule for rule in version.definition.exits if isinstance(rule, GoalExit | SegmentLeft)]
    if not exits:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_INSIDE, [version.id])
        inside = BitMap(row[0] for row in cursor)
    if not inside:
        return 0
    now = clock.now()
    leaving = BitMap()
    for rule in exits:
        leaving |= _leaving(rule, inside, now)
    return _wake(version.id, leaving, now)


def _leaving(rule: GoalExit | SegmentLeft, inside: BitMap, now: datetime) -> BitMap:
    if isinstance(rule, GoalExit):
        return inside & _matched(rule.rule, inside, now)
    return inside - _matched({"version": 2, "root": {"all": [{"segment": str(rule.segment), "op": "in"}]}}, inside, now)


#: Of so few people each is looked up; of more, everybody is looked at.
FEW = 20_000


def _matched(rule: object, inside: BitMap, now: datetime) -> BitMap:
    return BitMap(rules.among(rule, inside, now)) if len(inside) <= FEW else rules.everybody(rule, now)


# Who is due is woken already; were they looked at just before, the next look finds them again.
_WAKE = """
UPDATE workflows_enrolment SET wake_at = LEAST(wake_at, %s)
WHERE version_id = %s AND contact_number = ANY(%s) AND status <> 'left' AND (wake_at IS NULL OR wake_at > %s)
"""


def _wake(version_id: UUID, numbers: Iterable[int], now: datetime) -> int:
    some = list(numbers)
    if not some:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, [now, version_id, some, now])
        return int(cursor.rowcount)
