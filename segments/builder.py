"""The draft as the page shows it: for each node its fields, what they offer, and what is wrong. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
ANCHORS: Choices = [("on", "on a date"), ("today", "today"), ("ago", "days ago"), ("ahead", "days from now")]
YES_NO: Choices = [("", "Choose…"), ("yes", "yes"), ("no", "no")]
DID: Choices = [("did", "did"), ("did_not", "did not")]
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
    anchors: Choices = field(default_factory=lambda: ANCHORS)


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
            view.form, view.label, view.ops = "event", EVENTS.get(node.event, "Mailing"), DID
            known = {str(m.id): m.label for m in self.catalog.mailings.values()}
            chosen = node.part("mailing")
            offered = [*known.items()][:MAILINGS]
            if chosen in known and (chosen, known[chosen]) not in offered:
                offered.append((chosen, known[chosen]))
            view.offered = [("", "any mailing"), *offered]
        elif node.key in self.catalog.fields:
            self._attribute(node, view)
        elif node.part("subject"):
            gone = self.catalog.removed.get(node.key)
            view.label = f"{gone[0] if gone else node.key} (removed)"
            view.subjects = [("No longer there", [(node.part("subject"), view.label)]), *self.subjects]

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
            takes = operators.WHENS.get(view.when, ("", Takes.NOTHING))[1]
            view.when_takes = takes.value
            if takes is Takes.DAYS:
                view.when_days = [
                    _day(view.name, node, "when_anchor", "when_from", node.part("when_from"), "First day"),
                    _day(view.name, node, "when_anchor2", "when_to", node.part("when_to"), "Last day"),
                ]


def _all(view: View) -> Iterable[View]:
    yield view
    for item in view.items:
        yield from _all(item)


def _day(  # noqa: PLR0917
    name: str, node: draft.Clause, anchor: str, part: str, value: str, label: str
) -> DayView:
    chosen = node.part(anchor) or "on"
    return DayView(f"{name}.{anchor}", chosen, f"{name}.{part}", value, label)


def _subjects(catalog: Catalog) -> list[tuple[str, Choices]]:
    """What a condition can be about, in groups."""
    about: list[tuple[str, Choices]] = [
        ("About the person", [(f"attribute:{f.key}", f.label) for f in catalog.fields.values() if f.kind != "coded"]),
        ("Health lists", [(f"attribute:{f.key}", f.label) for f in catalog.fields.values() if f.kind == "coded"]),
        ("Consent", [("topic", "Topic")] if catalog.topics else []),
        ("What came back", [(f"event:{name}", label) for name, label in EVENTS.items()]),
    ]
    return [(label, choices) for label, choices in about if choices]
