"""The rule as a sentence people read. Pure."""

from collections.abc import Mapping
from datetime import date

from segments import operators
from segments.catalog import Catalog
from segments.tree import (
    About,
    Ago,
    Clause,
    DateIs,
    Day,
    Empty,
    Engaged,
    Group,
    HasCode,
    Node,
    NumberIs,
    Rule,
    TextIs,
    TopicIs,
    YesNoIs,
)

#: Code names by (attribute, code); what is not there is shown as the bare code.
CodeNames = Mapping[tuple[str, str], str]
#: So many values of one list are spelled out; the rest is counted.
SPELLED_OUT = 6


def sentence(rule: Rule, catalog: Catalog, names: CodeNames | None = None) -> str:
    """For example: People where State is “MA” or “NH”, and Birth date gives an age of 50 to 74."""
    teller = _Teller(catalog, names or {})
    root = rule.root
    if root.match == "none":
        return f"People where none of these is true: {'; '.join(teller.node(item) for item in root.items)}."
    return f"People where {teller.joined(root, ', ')}."


class _Teller:
    def __init__(self, catalog: Catalog, names: CodeNames) -> None:
        self.catalog = catalog
        self.names = names

    def joined(self, group: Group, comma: str = " ") -> str:
        word = "and" if group.match == "all" else "or"
        return f"{comma}{word} ".join(self.node(item) for item in group.items)

    def node(self, node: Node) -> str:
        if not isinstance(node, Group):
            return self.clause(node)
        if node.match == "none":
            inside = Group("any", node.items)
            return f"not ({self.joined(inside)})"
        return self.node(node.items[0]) if len(node.items) == 1 else f"({self.joined(node)})"

    def clause(self, clause: Clause) -> str:
        if isinstance(clause, TopicIs):
            topic = self.catalog.topics[clause.topic]
            return f"they {operators.TOPIC_STATES[clause.state]} “{topic}”"
        if isinstance(clause, Engaged):
            return self._engaged(clause)
        assert isinstance(clause, About)
        field = self.catalog.fields[clause.attribute]
        says = next((op.says for op in operators.BY_KIND[field.kind] if op.name == _name(clause)), "is {0}")
        return f"{field.label} {says.format(self._given(clause))}".rstrip()

    def _given(self, clause: Clause) -> str:
        match clause:
            case TextIs():
                word = "nor" if clause.op == "not_one_of" else "or"
                return _list([f"“{value}”" for value in clause.values], word)
            case NumberIs():
                low = _number(clause.low)
                return low if clause.high is None else f"{low} and {_number(clause.high)}"
            case YesNoIs():
                return "yes" if clause.value else "no"
            case DateIs():
                return self._date(clause)
            case HasCode():
                codes = [self._code(clause.attribute, code) for code in clause.codes]
                return f"{_list(codes, 'or')}{_when(clause)}"
            case _:
                return ""

    def _code(self, attribute: str, code: str) -> str:
        if code.endswith("*"):
            return f"{code} (whole family)"
        name = self.names.get((attribute, code))
        return f"{name} ({code})" if name else code

    def _date(self, clause: DateIs) -> str:
        if clause.op == "age_between":
            return f"{clause.low} to {clause.high}"
        if clause.first is None:
            return _days(clause.span.count if clause.span else 0)
        if clause.second is None:
            return _day(clause.first)
        return f"{_day(clause.first)} to {_day(clause.second)}"

    def _engaged(self, clause: Engaged) -> str:
        mailing = self.catalog.mailings[clause.mailing].label if clause.mailing else "any mailing"
        within = "" if clause.span is None else f" in the last {_days(clause.span.count)}"
        if clause.did:
            return f"they {operators.EVENTS[clause.event]} {mailing}{within}"
        return f"they did not {operators.EVENTS_NOT[clause.event]} {mailing}{within}"


def _name(clause: Clause) -> str:
    match clause:
        case Empty():
            return "is_empty" if clause.empty else "is_not_empty"
        case HasCode():
            return "has" if clause.has else "has_none"
        case TextIs() | NumberIs() | DateIs():
            return clause.op
        case _:
            return "is"


def _list(parts: list[str], word: str) -> str:
    if len(parts) > SPELLED_OUT:
        parts = [*parts[: SPELLED_OUT - 1], f"{len(parts) - SPELLED_OUT + 1:,} more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) and abs(value) < 1e15 else f"{value:,}"


def _days(count: int) -> str:
    return f"{count:,} day{'' if count == 1 else 's'}"


def _day(day: Day) -> str:
    if isinstance(day, date):
        return f"{day.day} {day:%b %Y}"
    if isinstance(day, Ago) and day.count == 0:
        return "today"
    return f"{_days(abs(day.count))} {'ago' if day.count < 0 else 'from now'}"


def _when(clause: HasCode) -> str:
    days = _days(clause.span.count if clause.span else 0)
    match clause.when:
        case "active":
            return ", active today"
        case "in_last":
            return f", in the last {days}"
        case "started_in_last":
            return f", started in the last {days}"
        case "between":
            assert clause.first is not None
            assert clause.second is not None
            return f", active from {_day(clause.first)} to {_day(clause.second)}"
        case _:
            return ""
