"""Put people into lists, and take them out."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import segments.commands
from core.actors import By
from segments.errors import Archived, MembershipUnreadable, NotASnapshot
from segments.models import Segment
from workflows.effects.acts import Act, Applied
from workflows.language.definition import ChangeList


def change(acts: Sequence[Act], now: datetime, by: By) -> Applied:
    """One revision of each list for all of them; lists in the order of their ids, so that two engines never cross."""
    groups: dict[tuple[UUID | None, str], list[Act]] = {}
    for act in acts:
        assert isinstance(act.step, ChangeList)
        groups.setdefault((act.step.segment, act.step.change), []).append(act)
    known = Segment.objects.in_bulk({segment for segment, _ in groups if segment})
    trouble: dict[int, str] = {}
    for (wanted, how), own in sorted(groups.items(), key=lambda group: (str(group[0][0]), group[0][1])):
        segment = known.get(wanted) if wanted else None
        code = "list_gone" if segment is None else _changed(segment, how, [act.row.contact_id for act in own], by)
        if code:
            trouble.update({act.row.id: code for act in own})
    return Applied({}, trouble)


def _changed(segment: Segment, how: str, people: list[UUID], by: By) -> str:
    """Why it could not be done; "" where it was."""
    move = segments.commands.add_people if how == "add" else segments.commands.remove_people
    try:
        move(segment, people, by=by)
    except (Archived, NotASnapshot):
        return "list_gone"
    except MembershipUnreadable:
        return "list_unreadable"
    return ""
