"""What was foretold of people who move, and what came, in words: for the pages that show it."""

from collections.abc import Iterable
from dataclasses import dataclass

from workflows.language import graph, words
from workflows.language.definition import AnyStep, ChangeList, Definition, Enter, Tell, Webhook, from_json
from workflows.models import Move
from workflows.versions import fates
from workflows.versions.fates import Fate


@dataclass(frozen=True, slots=True)
class End:
    people: int
    text: str
    icon: str


@dataclass(frozen=True, slots=True)
class Row:
    """One group. `to` "": leaves. `came` is empty until everybody was looked at."""

    version: int
    step: str
    to: str
    people: int
    ends: list[End]
    came: list[End]
    same: bool


@dataclass(frozen=True, slots=True)
class Told:
    rows: list[Row]
    people: int
    mails: int
    leave: int
    #: Everything came as it was foretold.
    kept: bool


def told(move: Move) -> Told:
    definition = from_json(move.definition)
    versions = {version.pk: version for version in move.workflow.versions.all()}
    olds = {pk: from_json(version.definition) for pk, version in versions.items()}
    place = {(pk, step): n for pk, old in olds.items() for n, step in enumerate(graph.order(old))}
    foretold = fates.from_json(move.forecast)
    came = {(fate.version, fate.step, fate.to): fate for fate in fates.from_json(move.happened)}
    foretold.sort(key=lambda fate: (-versions[fate.version].number, place.get((fate.version, fate.step), 0)))
    rows = []
    for fate in foretold:
        found = came.get((fate.version, fate.step, fate.to))
        rows.append(
            Row(
                versions[fate.version].number,
                _title(olds[fate.version], fate.step),
                _title(definition, fate.to) if fate.to else "",
                fate.people,
                _ends(definition, fate),
                _ends(definition, found) if found else [],
                found == fate,
            )
        )
    return Told(
        rows,
        sum(fate.people for fate in foretold),
        sum(sum(fate.mails.values()) for fate in foretold),
        _leaving(foretold),
        bool(move.happened) and all(row.same for row in rows),
    )


def _leaving(foretold: Iterable[Fate]) -> int:
    return sum(n for fate in foretold for end, n in fate.ends.items() if end.startswith(fates.LEFT))


def _title(definition: Definition, step: str) -> str:
    return words.titles(definition).get(step, step)


def _ends(definition: Definition, fate: Fate) -> list[End]:
    found = []
    for end, people in sorted(fate.ends.items(), key=lambda pair: -pair[1]):
        if end.startswith(fates.LEFT):
            text, icon = f"leave: {words.left_label(end.removeprefix(fates.LEFT)).lower()}", "out"
        elif end == fates.TROUBLE:
            text, icon = "cannot go on and need attention", "warning"
        elif fate.mails.get(end):
            text, icon = f"are sent “{_title(definition, end)}” now", "mailbox"
        elif end == fate.to:
            text, icon = "stay there", "clock"
        else:
            text, icon = f"go on at once and wait at “{_title(definition, end)}”", "right"
        found.append(End(people, text, icon))
    for step, people in fate.acts.items():
        icon, what = _acts(definition.steps.get(step))
        found.append(End(people, f"come by “{_title(definition, step)}”: {what}", icon))
    return found


def _acts(step: AnyStep | None) -> tuple[str, str]:
    match step:
        case Tell():
            return "bell", "staff are told of them"
        case Webhook():
            return "webhook", "another system is told of them"
        case Enter():
            return "workflow", "they are to enter another journey"
        case ChangeList():
            return "people", "a list is changed"
    return "draft", "a value is changed"
