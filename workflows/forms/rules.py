"""How often people may enter, who may, and what takes them out early."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms

from workflows.errors import Problem
from workflows.forms.steps import Layout, PanelForm, change, pick, uuid_or_none, whole
from workflows.forms.times import event_field
from workflows.language import definition as d
from workflows.offers import Choices, Offers, choices

AGAIN: Choices = [
    ("never", "Once and never again"),
    ("after_leaving", "Again, as soon as they have left"),
    ("after_days", "Again, some days after they last entered, if they have left"),
    ("per_key", "Once for each event or date: each appointment, each order"),
]
EXITS: Choices = [
    ("segment_left", "They leave a segment"),
    ("event", "An event comes"),
    ("goal", "They reach a goal"),
]
MAX_EXITS = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One exit: its place in the definition, its kind, and its fields. `saved`: it is in the definition."""

    number: int
    kind: str
    label: str
    fields: list[forms.BoundField]
    rule: Any = None
    problems: list[Problem] = field(default_factory=list)


class RulesForm(PanelForm):
    """`exits` are listed by number from 1 on, unsubscribing apart; `pending` is one more whose choice is awaited."""

    layout: ClassVar[Layout] = ("again", "days")
    named: ClassVar[Mapping[str, str]] = {"reentry": "again", "reentry.days": "days"}
    apart = frozenset({"only"})

    def __init__(
        self, data: Mapping[str, Any] | None, *, definition: d.Definition, offers: Offers, pending: str = ""
    ) -> None:
        self.definition = definition
        self.exits = [exit for exit in definition.exits if not isinstance(exit, d.Unsubscribed)]
        self.pending = pending if pending == "segment_left" else ""
        super().__init__(data, offers=offers, given=self._given(definition))

    def _given(self, definition: d.Definition) -> dict[str, Any]:
        found: dict[str, Any] = {
            "again": definition.reentry.kind,
            "days": definition.reentry.days or "",
            "unsubscribed": any(isinstance(exit, d.Unsubscribed) for exit in definition.exits),
        }
        for n, exit in enumerate(self.exits, 1):
            match exit:
                case d.SegmentLeft():
                    found[f"segment-{n}"] = str(exit.segment)
                case d.EventExit():
                    found |= {f"event-{n}": exit.event, f"same-{n}": exit.same_key}
                case d.GoalExit():
                    found[f"goal-{n}"] = exit.name
        return found

    def build(self) -> None:
        self.fields["again"] = forms.ChoiceField(
            label="How often may one person enter?", choices=AGAIN, widget=forms.RadioSelect
        )
        if self.now("again") == "after_days":
            self.fields["days"] = whole("Days", low=1)
        self.fields["unsubscribed"] = forms.BooleanField(
            required=False, label="They unsubscribe: from everything, or from a topic of one of its mails"
        )
        for n, exit in enumerate(self.exits, 1):
            self._exit(n, str(exit.__struct_config__.tag))
        if self.pending:
            self._exit(len(self.exits) + 1, self.pending)

    def _exit(self, n: int, kind: str) -> None:
        match kind:
            case "segment_left":
                rows = choices(self.offers.segments, "Choose a segment…", self.now(f"segment-{n}"))
                self.fields[f"segment-{n}"] = pick("Which segment", rows)
            case "event":
                self.fields[f"event-{n}"] = event_field(self.offers, str(self.now(f"event-{n}") or ""))
                if isinstance(self.definition.trigger, d.ByEvent):
                    self.fields[f"same-{n}"] = forms.BooleanField(
                        required=False, label="Only of the same one they entered for"
                    )
            case "goal":
                self.fields[f"goal-{n}"] = forms.CharField(required=False, max_length=80, label="Name of the goal")

    def listed(self) -> list[Row]:
        labels = dict(EXITS)
        rows = []
        for n, exit in enumerate([*self.exits, *([None] if self.pending else [])], 1):
            kind = str(exit.__struct_config__.tag) if exit else self.pending
            names = [name for name in (f"segment-{n}", f"event-{n}", f"same-{n}", f"goal-{n}") if name in self.fields]
            rule = exit.rule if isinstance(exit, d.GoalExit) else None
            at = next((i for i, way in enumerate(self.definition.exits) if way is exit), -1)
            held = [p for p in self.problems.get("exits", []) if p.field == f"exits[{at}]"]
            rows.append(Row(n, kind, labels[kind], [self[name] for name in names], rule, held))
        return rows

    def elsewhere(self) -> list[Problem]:
        return [found for found in super().elsewhere() if "[" not in found.field]

    def clean(self) -> dict[str, Any] | None:
        super().clean()
        n = len(self.exits) + 1
        if self.pending and not uuid_or_none(self.cleaned_data.get(f"segment-{n}") or ""):
            self.waits = "Not kept yet: choose a segment."
        return self.cleaned_data

    def over(self, definition: d.Definition) -> d.Definition:
        """That journey with these rules."""
        self.definition, typed = definition, self.cleaned_data
        found: list[d.AnyExit] = [d.Unsubscribed()] if typed["unsubscribed"] else []
        for n, exit in enumerate(self.exits, 1):
            match exit:
                case d.SegmentLeft():
                    chosen = uuid_or_none(typed[f"segment-{n}"])
                    found.append(d.SegmentLeft(chosen) if chosen else exit)
                case d.EventExit():
                    found.append(d.EventExit(typed[f"event-{n}"], typed.get(f"same-{n}", False)))
                case d.GoalExit():
                    found.append(change(exit, name=" ".join(typed[f"goal-{n}"].split())))
        chosen = uuid_or_none(typed.get(f"segment-{len(self.exits) + 1}") or "")
        if self.pending and chosen:
            found.append(d.SegmentLeft(chosen))
        again = d.Reentry(typed["again"], typed.get("days") or 0)
        return change(self.definition, reentry=again, exits=tuple(found))


def after(definition: d.Definition, do: str) -> d.Definition:
    """The journey after "add:event", "add:goal" or "remove:n"; what makes no sense does nothing."""
    verb, _, what = do.partition(":")
    if verb == "add" and len(definition.exits) < MAX_EXITS:
        keyed = isinstance(definition.trigger, d.ByEvent)
        new: dict[str, d.AnyExit] = {"event": d.EventExit("", same_key=keyed), "goal": d.GoalExit(rule=None)}
        return change(definition, exits=(*definition.exits, new[what])) if what in new else definition
    others = [exit for exit in definition.exits if not isinstance(exit, d.Unsubscribed)]
    if verb == "remove" and what.isdecimal() and 0 < int(what) <= len(others):
        gone = others[int(what) - 1]
        return change(definition, exits=tuple(exit for exit in definition.exits if exit is not gone))
    return definition


def exit_at(definition: d.Definition, number: int) -> d.AnyExit | None:
    others = [exit for exit in definition.exits if not isinstance(exit, d.Unsubscribed)]
    return others[number - 1] if 0 < number <= len(others) else None
