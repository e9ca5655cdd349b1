"""Set values of people, by the one way in which values are written."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import contacts.commands
import contacts.queries
from core.actors import By
from workflows.effects.acts import Act, Applied
from workflows.language.definition import SetAttribute


def put(acts: Sequence[Act], now: datetime, by: By) -> Applied:
    """All values of all these people in one write; a value that does not fit is that person's trouble."""
    live = contacts.queries.attributes()
    values: dict[UUID, dict[str, Any]] = {}
    trouble: dict[int, str] = {}
    for act in acts:
        assert isinstance(act.step, SetAttribute)
        if act.step.attribute in live and act.step.attribute not in contacts.commands.IDENTITY:
            values.setdefault(act.row.contact_id, {})[act.step.attribute] = act.effect.value
        else:
            trouble[act.row.id] = "attribute_gone"
    done = contacts.commands.set_values(values, by=by)
    for act in acts:
        if act.row.contact_id in done.refused:
            trouble.setdefault(act.row.id, "bad_value")
        elif act.row.contact_id in done.unreadable:
            trouble.setdefault(act.row.id, "record_unreadable")
    return Applied({}, trouble)
