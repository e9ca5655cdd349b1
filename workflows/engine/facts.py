"""What the pure step is told about people at one step: read for all of them in a fixed number of statements."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from workflows.engine import exits, happened, mails
from workflows.engine.known import Known, Person, properties
from workflows.engine.plans import Plan
from workflows.language.definition import (
    AnyStep,
    Branch,
    BranchMail,
    Goal,
    Mail,
    SetAttribute,
    WaitEvent,
    WaitUntil,
    Webhook,
)
from workflows.models import Call
from workflows.step import Facts, Mailing

#: What a call that has ended is to the pure step.
_CALLS = {Call.State.DONE.value: "done", Call.State.FAILED.value: "failed"}


def facts_for(
    plan: Plan,
    step_id: str,
    people: Sequence[Person],
    now: datetime,
    *,
    known: Known | None = None,
    just_made: Mapping[int, UUID | None] | None = None,
) -> dict[int, Facts]:
    """The facts about each of these people at this step now, by enrolment.

    `known`: what was read before in the same claim; `just_made`: of those who passed the mail step that is asked about
    in this claim, what was made there. Raises RuleError, SealBroken.
    """
    if known is None:
        known = Known(now)
        plan.refresh()
    _ask_exits(plan, people, known)
    extra = _asked(plan, step_id, people, known, just_made or {})
    needs = _attributes(plan.definition.steps[step_id])
    found: dict[int, Facts] = {}
    for person in people:
        record = known.record(person)
        if record is None:
            found[person.id] = Facts(known.zone, exists=False)
            continue
        more = extra.get(person.id, {})
        if needs:
            more = {**more, "values": {key: record.values.get(key) for key in needs}}
        found[person.id] = Facts(known.zone_of(record), exits=known.exits[person.id], **more)
    return found


def on_leaving(plan: Plan, people: Sequence[Person], known: Known) -> dict[int, Facts]:
    """Only what says whether these people leave, wherever they are. Raises RuleError, SealBroken."""
    _ask_exits(plan, people, known)
    return {
        person.id: Facts(known.zone, exists=known.record(person) is not None, exits=known.exits[person.id])
        for person in people
    }


def _ask_exits(plan: Plan, people: Sequence[Person], known: Known) -> None:
    known.open(people)
    fresh = [person for person in people if person.id not in known.exits]
    if fresh:
        known.exits.update(exits.holding(plan, fresh, known))


def _attributes(node: AnyStep) -> tuple[str, ...]:
    return (node.moment.attribute,) if isinstance(node, WaitUntil) and node.moment.attribute else ()


def _asked(  # noqa: PLR0911  one case a kind
    plan: Plan, step_id: str, people: Sequence[Person], known: Known, just_made: Mapping[int, UUID | None]
) -> dict[int, dict[str, Any]]:
    """What this kind of step asks besides, by enrolment and by the names of Facts."""
    match node := plan.definition.steps[step_id]:
        case Branch() | Goal():
            matched = known.matching(plan.cases(step_id), people)
            return {p.id: {"cases": tuple(p.contact_number in one for one in matched)} for p in people}
        case Mail():
            sent = mails.outcomes(awaited) if (awaited := [p.awaits for p in people if p.awaits]) else {}
            return {p.id: {"mail": Mailing(sent[p.awaits])} for p in people if p.awaits in sent}
        case BranchMail():
            latest = mails.latest([p.id for p in people], node.mail, just_made)
            return {pk: {"mail": mail} for pk, mail in latest.items()}
        case WaitEvent():
            return {pk: {"happened": True} for pk in happened.awaited(plan, node, people)}
        case Webhook():
            return _calls(people)
        case WaitUntil() if node.moment.property:
            return {pk: {"properties": said} for pk, said in properties(people).items()}
        case SetAttribute() if node.property:
            return {pk: {"properties": said} for pk, said in properties(people).items()}
    return {}


def _calls(people: Sequence[Person]) -> dict[int, dict[str, Any]]:
    made = [person.awaits for person in people if person.awaits]
    ended = dict(Call.objects.filter(pk__among=made, state__in=_CALLS).values_list("pk", "state")) if made else {}
    return {p.id: {"call": _CALLS[ended[p.awaits]]} for p in people if p.awaits in ended}
