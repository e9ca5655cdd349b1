"""Carry out what steps decided, all of one kind at once, in the engine's transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.actors import SYSTEM, By
from workflows.effects import attributes, calls, entering, lists, notices
from workflows.effects.acts import Act, Applied, Row
from workflows.language.definition import ChangeList, Enter, SetAttribute, Tell, Webhook

__all__ = ["Act", "Applied", "Row", "apply"]


def apply(items: Sequence[Act], now: datetime, *, by: By = SYSTEM) -> Applied:
    """Carry out these acts (none of them a mail): a fixed number of statements for each kind and each target.

    What cannot be done for somebody is that person's trouble; the others are done. Inside a transaction only.
    """
    made: dict[int, UUID] = {}
    trouble: dict[int, str] = {}
    for kind, carry_out in _KINDS.items():  # lists before people: the order in which everybody takes these locks
        own = [act for act in items if isinstance(act.step, kind)]
        if own:
            done = carry_out(own, now, by)
            made |= done.made
            trouble |= done.trouble
    return Applied(made, trouble)


_KINDS = {
    ChangeList: lists.change,
    SetAttribute: attributes.put,
    Webhook: calls.make,
    Tell: notices.leave,
    Enter: entering.enter,
}
