"""How often people may enter, who may, and what takes them out early."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from django import forms

from workflows.errors import Problem
from workflows.forms.steps import Layout, PanelForm, change, kept, pick, uuid_or_none, whole
from workflows.forms.times import event_field, same_key_field
from workflows.language import definition as d
from workflows.language.checks import MAX_CASES
from workflows.language.parsing import MAX_NAME
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


@dataclass(frozen=True, slots=True)
class Row:
    """One exit: what buttons call it ("u": unsubscribing, else its number among the others), its kind and fields."""

    number: str
    kind: str
    label: str
    fields: list[forms.BoundField]
    first: bool = True
    last: bool = True
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

    def anew(self, data: Mapping[str, Any] | None) -> Self:
        return type(self)(data, definition=self.definition, offers=self.offers)

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
                self.fields[f"same-{n}"] = same_key_field(self.offers)
            case "goal":
                named = forms.CharField(required=False, max_length=MAX_NAME, label="Name of the goal")
                self.fields[f"goal-{n}"] = named

    def listed(self) -> list[Row]:
        """The exits in the order in which they are asked; unsubscribing comes first where it is not one of them."""
        labels, exits, n = dict(EXITS), self.definition.exits, 0
        rows = []
        for at, exit in enumerate(exits):
            first, last = at == 0, at == len(exits) - 1
            if isinstance(exit, d.Unsubscribed):
                rows.append(Row("u", "unsubscribed", "They unsubscribe", [self["unsubscribed"]], first, last))
                continue
            n += 1
            rule = exit.rule if isinstance(exit, d.GoalExit) else None
            held = [p for p in self.problems.get("exits", []) if p.field == f"exits[{at}]"]
            kind = str(exit.__struct_config__.tag)
            rows.append(Row(str(n), kind, labels[kind], self._fields(n), first, last, rule, held))
        if not any(row.kind == "unsubscribed" for row in rows):
            rows.insert(0, Row("", "unsubscribed", "", [self["unsubscribed"]]))
        if self.pending:
            rows.append(Row(str(n + 1), self.pending, labels[self.pending], self._fields(n + 1)))
        return rows

    def _fields(self, n: int) -> list[forms.BoundField]:
        names = (f"segment-{n}", f"event-{n}", f"same-{n}", f"goal-{n}")
        return [self[name] for name in names if name in self.fields]

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
        self.definition = definition
        drawn = self.unchanged()
        were = drawn.read() if drawn else (None, None)
        now = (definition.reentry, definition.exits)
        again, exits = (kept(*three) for three in zip(now, self.read(), were, strict=True))
        return change(definition, reentry=again, exits=exits)

    def read(self) -> tuple[d.Reentry, tuple[d.AnyExit, ...]]:
        """How often, and the exits in their order, as the form says."""
        typed, n = self.cleaned_data, 0
        found: list[d.AnyExit] = []
        if typed["unsubscribed"] and not any(isinstance(exit, d.Unsubscribed) for exit in self.definition.exits):
            found.append(d.Unsubscribed())
        for exit in self.definition.exits:
            n += not isinstance(exit, d.Unsubscribed)
            match exit:
                case d.Unsubscribed() if typed["unsubscribed"]:
                    found.append(exit)
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
        return d.Reentry(typed["again"], typed.get("days") or 0), tuple(found)


def after(definition: d.Definition, do: str) -> d.Definition:
    """The journey after "add:event", "add:goal", "remove:n", "up:n" or "down:n"; what makes no sense does nothing."""
    verb, _, what = do.partition(":")
    exits = list(definition.exits)
    if verb == "add" and len(exits) < MAX_CASES:
        keyed = isinstance(definition.trigger, d.ByEvent)
        new: dict[str, d.AnyExit] = {"event": d.EventExit("", same_key=keyed), "goal": d.GoalExit(rule=None)}
        return change(definition, exits=(*exits, new[what])) if what in new else definition
    at = _at(definition, what)
    to = {"up": -1, "down": 1}.get(verb, 0) + (at or 0)
    if at is None or not 0 <= to < len(exits):
        return definition
    gone = exits.pop(at)
    if verb in ("up", "down"):
        exits.insert(to, gone)
    elif verb != "remove":
        return definition
    return change(definition, exits=tuple(exits))


def _at(definition: d.Definition, what: str) -> int | None:
    """The place of the exit that is called so in the panel."""
    off = [isinstance(exit, d.Unsubscribed) for exit in definition.exits]
    if what == "u":
        return off.index(True) if True in off else None
    others = [at for at, unsubscribed in enumerate(off) if not unsubscribed]
    return others[int(what) - 1] if what.isdecimal() and 0 < int(what) <= len(others) else None


def exit_at(definition: d.Definition, number: int) -> d.AnyExit | None:
    at = _at(definition, str(number))
    return None if at is None else definition.exits[at]
