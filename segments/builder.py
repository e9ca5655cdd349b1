"""The draft as the page shows it: for each node its fields, what they offer, and what is wrong. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from segments import draft, operators
from segments.catalog import Catalog
from segments.errors import Problem
from segments.operators import Takes

Choices = list[tuple[str, str]]

MATCHES: Choices = [
    ("all", "all of these are true"),
    ("any", "at least one of these is true"),
    ("none", "none of these is true"),
]
ANCHORS: Choices = [("on", "on a date"), ("today", "today"), ("ago", "… ago"), ("ahead", "… from now")]
UNITS: Choices = list(operators.UNITS.items())
ZONES: Choices = [("", "by our calendar"), ("contact", "by the calendar where the person is")]
AS_OF: Choices = [("", "as of today"), *((name, label) for name, label in ANCHORS if name != "today")]
TIMES: Choices = [("", "once or more"), *operators.TIMES.items()]
YES_NO: Choices = [("", "Choose…"), ("yes", "yes"), ("no", "no")]
DID: Choices = [("did", "did"), ("did_not", "did not")]
WINDOWS: Choices = [("", "ever"), *((name, label) for name, (label, _) in operators.WINDOWS.items())]
WEEKDAYS: Choices = [(day, day.capitalize()) for day in operators.WEEKDAYS]
#: So many past mailings are offered, newest first.
MAILINGS = 200
EVENTS = {"received": "Received a mailing", "opened": "Opened a mailing", "clicked": "Clicked in a mailing"}


@dataclass(slots=True)
class DayView:
    """A day as two fields: how it is meant, and which."""

    anchor_name: str
    anchor: str
    name: str
    value: str
    label: str
    unit_name: str
    unit: str
    anchors: Choices = field(default_factory=lambda: ANCHORS)
    units: Choices = field(default_factory=lambda: UNITS)


@dataclass(slots=True)
class View:
    """One node. `form` tells the template which fields to draw ("group", or a member of Takes, or "topic" …)."""

    name: str
    place: str
    form: str = "group"
    match: str = "all"
    matches: Choices = field(default_factory=lambda: MATCHES)
    items: "list[View]" = field(default_factory=list)
    clause: draft.Clause = field(default_factory=draft.Clause)
    label: str = ""
    subjects: list[tuple[str, Choices]] = field(default_factory=list)
    ops: Choices = field(default_factory=list)
    op: str = ""
    offered: Choices = field(default_factory=list)
    names: Choices = field(default_factory=list)
    days: list[DayView] = field(default_factory=list)
    whens: Choices = field(default_factory=list)
    when: str = ""
    when_takes: str = ""
    when_days: list[DayView] = field(default_factory=list)
    units: Choices = field(default_factory=lambda: UNITS)
    #: What may stand beside it, and what is chosen of it: how often, by whose calendar, an age as of when.
    times: Choices = field(default_factory=list)
    zones: Choices = field(default_factory=list)
    as_of: DayView | None = None
    topics: Choices = field(default_factory=list)
    links: Choices = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    #: What a search offers: "code", "word" (one more), "value" (this one), or nothing.
    offers: str = ""
    focus: str = ""

    @property
    def value(self) -> str:
        return self.clause.values[0] if self.clause.values else ""

    @property
    def lines(self) -> str:
        return "\n".join(self.clause.values)

    @property
    def more(self) -> bool:
        """Whether anything stands in what is folded away at first."""
        return any(self.clause.part(name) for name in ("times_op", "zone", "on_anchor", "of_topic", "link"))

    @property
    def part(self) -> Mapping[str, str]:
        return self.clause.parts


class Builder:
    """Draws one draft. `code_names` by (attribute, code)."""

    def __init__(
        self,
        catalog: Catalog,
        problems: Iterable[Problem] = (),
        code_names: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.catalog = catalog
        self.code_names = code_names or {}
        self.problems: dict[str, list[str]] = {}
        for problem in problems:
            self.problems.setdefault(draft.path_of(problem.path), []).append(problem.message)
        self.subjects = _subjects(catalog)

    def draw(self, root: draft.Group, focus: str = "", focus_on: str = "") -> View:
        """The whole draft; the node `focus` takes the keyboard, on its first field or on the control `focus_on`."""
        view = self._node(root, draft.ROOT, ())
        for found in _all(view):
            if found.name == focus:
                found.focus = focus_on or "first"
        return view

    def _node(self, node: draft.Group | draft.Clause, name: str, place: tuple[int, ...]) -> View:
        view = View(name, ".".join(map(str, place)), problems=self.problems.get(name, []))
        if isinstance(node, draft.Group):
            view.match = node.match
            view.items = [self._node(item, f"{name}-{n}", (*place, n + 1)) for n, item in enumerate(node.items)]
            return view
        view.clause, view.subjects = node, self.subjects
        self._clause(node, view)
        return view

    def _clause(self, node: draft.Clause, view: View) -> None:
        view.form, view.op = "nothing", node.part("op")
        if node.part("subject") == "topic":
            view.form, view.label = "topic", "Topic"
            view.ops = list(operators.TOPIC_STATES.items())
            view.offered = [("", "Choose a topic…"), *((str(i), name) for i, name in self.catalog.topics.items())]
        elif node.event:
            self._event(node, view)
        elif node.part("subject") == "segment":
            view.form, view.label, view.ops = "segment", "Segment", list(operators.SEGMENT.items())
            chosen = self.catalog.segments.get(UUID(node.part("segment"))) if _is_id(node.part("segment")) else None
            others = [s for s in map(self.catalog.segments.__getitem__, self.catalog.segments) if s is not chosen]
            others = sorted([*others, *([chosen] if chosen else [])], key=lambda s: s.name.casefold())
            view.offered = [("", "Choose a segment…"), *((str(s.id), s.name) for s in others)]
        elif node.part("subject") == "sample":
            view.form, view.label = "sample", "Random sample"
        elif node.key in self.catalog.fields:
            self._attribute(node, view)
        elif node.part("subject"):
            gone = self.catalog.removed.get(node.key)
            view.label = f"{gone[0] if gone else node.key} (removed)"
            view.subjects = [("No longer there", [(node.part("subject"), view.label)]), *self.subjects]

    def _event(self, node: draft.Clause, view: View) -> None:
        view.form, view.label, view.ops = "event", EVENTS.get(node.event, "Mailing"), DID
        mailings, chosen = self.catalog.mailings, node.part("mailing")
        offered = [(str(m.id), m.label) for m in list(mailings.values())[:MAILINGS]]
        named = mailings.get(UUID(chosen)) if _is_id(chosen) else None
        if named and all(place != chosen for place, _ in offered):
            offered.append((chosen, named.label))
        view.offered = [("", "any mailing"), ("last", "the last mailing sent"), *offered]
        if named is None:
            view.topics = [("", "on any topic"), *((str(i), f"on {name}") for i, name in self.catalog.topics.items())]
        elif node.event == "clicked" and named.links:
            links = [(str(place), link) for place, link in enumerate(named.links)]
            view.links = [("", "any link in it"), *links]
        if node.part("op") != "did_not":
            view.times = TIMES
        view.whens, view.when = WINDOWS, node.part("when")
        self._when(node, view, operators.WINDOWS)

    def _when(self, node: draft.Clause, view: View, known: Mapping[str, tuple[str, Takes]]) -> None:
        takes = known[view.when][1] if view.when in known else Takes.NOTHING
        view.when_takes = takes.value
        if takes is Takes.DAYS:
            view.when_days = [
                _day(view.name, node, "when_anchor", "when_from", node.part("when_from"), "First day"),
                _day(view.name, node, "when_anchor2", "when_to", node.part("when_to"), "Last day"),
            ]

    def _attribute(self, node: draft.Clause, view: View) -> None:
        known = self.catalog.fields[node.key]
        op = draft.chosen(node, known)
        view.label, view.op, view.form = known.label, op.name, op.takes.value
        view.ops = [(o.name, o.label) for o in operators.BY_KIND[known.kind]]
        if op.takes in (Takes.CHOICE, Takes.CHOICES):
            gone = [v for v in node.values if v and v not in known.choices]
            view.offered = [(c, c) for c in [*known.choices, *gone]]
        elif op.takes in (Takes.TEXT, Takes.TEXTS):
            if not known.identifier:
                view.offers = "value" if op.takes is Takes.TEXT else "word"
        elif op.takes in (Takes.DAY, Takes.DAYS):
            view.days = [_day(view.name, node, "anchor", "value", view.value, "Day")]
            if op.takes is Takes.DAYS:
                view.days += [_day(view.name, node, "anchor2", "to", node.part("to"), "Last day")]
                view.days[0].label = "First day"
        elif op.takes is Takes.CODES:
            view.offers = "code"
            view.names = [(c, self.code_names.get((node.key, c), "")) for c in node.values if c]
            view.whens = [(name, label) for name, (label, _) in operators.WHENS.items()]
            view.when = node.part("when") or "ever"
            self._when(node, view, operators.WHENS)
        elif op.takes is Takes.WEEKDAYS:
            view.offered = WEEKDAYS
        asked = operators.parts(known.kind, op)
        view.times = TIMES if "times" in asked else []
        view.zones = ZONES if "zone" in asked else []
        if "on" in asked:
            view.as_of = _day(view.name, node, "on_anchor", "on", node.part("on"), "Age as of")
            view.as_of.anchor, view.as_of.anchors = node.part("on_anchor"), AS_OF


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _all(view: View) -> Iterable[View]:
    yield view
    for item in view.items:
        yield from _all(item)


def _day(  # noqa: PLR0917
    name: str, node: draft.Clause, anchor: str, part: str, value: str, label: str
) -> DayView:
    chosen = node.part(anchor) or "on"
    unit = f"{anchor}_unit"
    return DayView(f"{name}.{anchor}", chosen, f"{name}.{part}", value, label, f"{name}.{unit}", node.part(unit))


def _subjects(catalog: Catalog) -> list[tuple[str, Choices]]:
    """What a condition can be about, in groups."""
    about: list[tuple[str, Choices]] = [
        ("About the person", [(f"attribute:{f.key}", f.label) for f in catalog.fields.values() if f.kind != "coded"]),
        ("Health lists", [(f"attribute:{f.key}", f.label) for f in catalog.fields.values() if f.kind == "coded"]),
        ("Consent", [("topic", "Topic")] if catalog.topics else []),
        ("What came back", [(f"event:{name}", label) for name, label in EVENTS.items()]),
        ("Other", [("segment", "Another segment"), ("sample", "Random sample")]),
    ]
    return [(label, choices) for label, choices in about if choices]
