"""The rule as a sentence people read. Pure."""

from collections.abc import Mapping
from datetime import date

from segments import operators
from segments.catalog import Catalog
from segments.tree import (
    Ago,
    Clause,
    DateIs,
    Day,
    Empty,
    Engaged,
    Group,
    HasCode,
    InSegment,
    Node,
    NumberIs,
    Rule,
    Sample,
    Span,
    TextIs,
    Times,
    TopicIs,
    YesNoIs,
)

#: Code names by (attribute, code); what is not there is shown as the bare code.
CodeNames = Mapping[tuple[str, str], str]
#: So many values of one list are spelled out; the rest is counted.
SPELLED_OUT = 6


def sentence(rule: Rule, catalog: Catalog, names: CodeNames | None = None) -> str:
    """For example: People where State is “MA” or “NH”, and Birth date gives an age of 50 to 74."""
    teller = Teller(catalog, names or {})
    root = rule.root
    if root.match == "none":
        return f"People where none of these is true: {'; '.join(teller.node(item) for item in root.items)}."
    return f"People where {teller.joined(root, ', ')}."


class Teller:
    """Tells clauses and groups by the names of this catalog."""

    def __init__(self, catalog: Catalog, names: CodeNames) -> None:
        self.catalog = catalog
        self.names = names

    def joined(self, group: Group, comma: str = " ") -> str:
        match group.items:
            case [Group(match="all" | "any") as only]:
                return self.joined(only, comma)
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
        match clause:
            case TopicIs():
                return f"they {operators.TOPIC_STATES[clause.state]} “{self.catalog.topics[clause.topic]}”"
            case Engaged():
                return self._engaged(clause)
            case Sample():
                lot = f" (lot {clause.seed:,})" if clause.seed else ""
                return f"they are in a random sample of {_number(clause.percent)} %{lot}"
            case InSegment():
                saved = self.catalog.segments[clause.segment]
                kind = "snapshot" if saved.snapshot else "segment"
                return f"they are {'' if clause.inside else 'not '}in the {kind} “{saved.name}”"
            case _:
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
                return f"{_date(clause)}{' (where they are)' if clause.contact else ''}"
            case HasCode():
                codes = _list([self._code(clause.attribute, code) for code in clause.codes], "or")
                return f"{_times(clause.times)}{codes}{_when(clause)}"
            case _:
                return ""

    def _code(self, attribute: str, code: str) -> str:
        if code.endswith("*"):
            return f"{code} (whole family)"
        name = self.names.get((attribute, code))
        return f"{name} ({code})" if name else code

    def _engaged(self, clause: Engaged) -> str:
        if clause.mailing is not None:
            mailing = self.catalog.mailings[clause.mailing]
            of = mailing.label
            if clause.link is not None:
                of = f"{mailing.links[clause.link]} of {of}"
        else:
            of = "the latest mailing" if clause.last else "any mailing"
            if clause.topic is not None:
                of += f" on “{self.catalog.topics.get(clause.topic, 'a removed topic')}”"
        happened = f"{of}{_within(clause)}"
        if not clause.did:
            return f"they did not {operators.EVENTS_NOT[clause.event]} {happened}"
        often = f" {_times(clause.times)}".rstrip() if clause.times != Times() else ""
        return f"they {operators.EVENTS[clause.event]} {happened}{often}"


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


def _span(span: Span | Ago | None) -> str:
    """For example: 2 months."""
    assert span is not None
    count = abs(span.count)
    return f"{count:,} {span.unit.removesuffix('s')}{'' if count == 1 else 's'}"


def _day(day: Day | None) -> str:
    assert day is not None
    if isinstance(day, date):
        return f"{day.day} {day:%b %Y}"
    if day.count == 0:
        return "today"
    return f"{_span(day)} {'ago' if day.count < 0 else 'from now'}"


def _date(clause: DateIs) -> str:  # noqa: PLR0911  one case per operator
    on = "" if clause.first is None else f" on {_day(clause.first)}"
    match clause.op:
        case "age_between":
            return f"{clause.low} to {clause.high}{on}"
        case "age_at_least":
            return f"{clause.low}{on}"
        case "age_at_most":
            return f"{clause.high}{on}"
        case "weekday":
            return _list([operators.WEEKDAYS[n].capitalize() for n in clause.weekdays], "or")
        case "birthday_this_month":
            return ""
        case "between":
            return f"{_day(clause.first)} to {_day(clause.second)}"
        case _:
            return _day(clause.first) if clause.span is None else _span(clause.span)


def _times(times: Times) -> str:
    """Nothing where once is enough."""
    if times == Times():
        return ""
    return f"{operators.TIMES[times.op]} {times.count:,} time{'' if times.count == 1 else 's'} "


def _within(clause: Engaged) -> str:
    if clause.span is not None:
        return f" in the last {_span(clause.span)}"
    return "" if clause.first is None else f" from {_day(clause.first)} to {_day(clause.second)}"


def _when(clause: HasCode) -> str:
    match clause.when:
        case "active":
            return ", active today"
        case "in_last":
            return f", in the last {_span(clause.span)}"
        case "started_in_last":
            return f", started in the last {_span(clause.span)}"
        case "ended_in_last":
            return f", ended in the last {_span(clause.span)}"
        case "between":
            return f", active from {_day(clause.first)} to {_day(clause.second)}"
        case _:
            return ""
