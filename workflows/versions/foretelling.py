"""What the engine would do with people, were they somewhere else: its own steps and facts, and nothing written."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec

from workflows.engine import claims, facts
from workflows.engine.apart import apart
from workflows.engine.known import Known
from workflows.engine.plans import Plan
from workflows.engine.run import ROUNDS
from workflows.engine.travel import Traveller, placed
from workflows.language.definition import Definition
from workflows.step import Effect, decide
from workflows.versions import fates
from workflows.versions.fates import Stop


def foretell(plan: Plan, ids: Sequence[int], to: str, *, kept: bool, now: datetime) -> dict[int, Stop]:
    """Where each of these enrolments stops when the engine looks at it at step `to`, by enrolment.

    `kept`: what is waited for at their step goes on being waited for. What steps do to people's values on the way is
    not foreseen: a branch that asks for it is answered from the values of now.
    """
    travellers = []
    for row in claims.rows(ids):
        awaits = kept and row.awaits is not None
        travellers.append(placed(row, msgspec.structs.replace(row.place, step=to, wake_at=now, awaits=awaits)))
        travellers[-1].awaits = row.awaits if awaits else None
    plan.refresh()
    known = Known(now)
    stops: dict[int, Stop] = {}
    moving = travellers
    for _ in range(ROUNDS):
        groups: dict[str, list[Traveller]] = {}
        for one in moving:
            groups.setdefault(one.step_id, []).append(one)
        moving = []
        for step, group in groups.items():
            decided, failed = apart(group, partial(_decided, plan, known, step, now))
            stops |= {one.id: Stop(fates.TROUBLE, "", _did(plan.definition, one)) for one, _ in failed}
            for one, effect in decided:
                if one.take(plan.definition, effect, now, None):
                    moving.append(one)
                else:
                    stops[one.id] = _stop(plan.definition, one, step, effect)
        if not moving:
            break
    return stops | {one.id: Stop(one.step_id, "", _did(plan.definition, one)) for one in moving}


def _decided(
    plan: Plan, known: Known, step: str, now: datetime, group: Sequence[Traveller]
) -> list[tuple[Traveller, Effect]]:
    told = facts.facts_for(plan, step, group, now, known=known, just_made=_just_made(plan, step, group))
    return [(one, decide(plan.definition, one.place, told[one.id], now)) for one in group]


def _just_made(plan: Plan, step: str, group: Sequence[Traveller]) -> dict[int, UUID | None]:
    mail = getattr(plan.definition.steps[step], "mail", "")
    return {one.id: made for one in group for passed, made in one.passed if mail and passed.step == mail}


def _stop(definition: Definition, one: Traveller, step: str, effect: Effect) -> Stop:
    did = _did(definition, one)
    if effect.trouble:
        return Stop(fates.TROUBLE, "", did)
    if one.place.left is not None:
        return Stop(f"{fates.LEFT}{one.place.left}", "", did)
    return fates.stopped(definition, step, effect.act, did)


def _did(definition: Definition, one: Traveller) -> tuple[str, ...]:
    return tuple(fates.acted(definition, ((passed.step, passed.way) for passed, _ in one.passed)))
