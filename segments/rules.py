"""Parse a rule, and say in plain words which clause is wrong and why.

Rules come from people, machines and old rows: nothing about their form is believed.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from segments import catalog as catalogs
from segments import operators, values
from segments.catalog import Catalog, Field
from segments.errors import Problem, RuleError
from segments.operators import Operator, Takes
from segments.tree import (
    MATCHES,
    MAX_CLAUSES,
    MAX_DEPTH,
    VERSION,
    Clause,
    DateIs,
    Empty,
    Engaged,
    Group,
    HasCode,
    Match,
    Node,
    NumberIs,
    Rule,
    Span,
    TextIs,
    TopicIs,
    YesNoIs,
)
from segments.values import BadValue, shown

__all__ = ["Rule", "RuleError", "parse", "parse_leniently"]

_NOTHING_NAMED = "The rule names nothing yet. Add at least one condition."


def parse(raw: object, catalog: Catalog | None = None) -> Rule:
    """The typed rule. Raises RuleError with every problem found, the first in its text."""
    parser = _Parser(catalog or catalogs.load())
    rule = parser.rule(raw)
    if parser.problems or rule is None:
        raise RuleError(parser.problems)
    return rule


def parse_leniently(raw: object, catalog: Catalog) -> tuple[Rule | None, list[Problem]]:
    """The rule without its unfinished clauses (None if nothing is left), and all problems. For the builder's count."""
    parser = _Parser(catalog)
    return parser.rule(raw), parser.problems


class _Parser:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.problems: list[Problem] = []
        self.clauses = 0

    def _refuse(self, path: str, clause: str, message: str, *, unfinished: bool = False) -> None:
        self.problems.append(Problem(path, clause, message, unfinished))

    def rule(self, raw: object) -> Rule | None:
        if not isinstance(raw, dict) or "root" not in raw:
            self._refuse("", "", 'A rule has the form {"version": 1, "root": {"all": […]}}.')
            return None
        version = raw.get("version")
        if version != VERSION or isinstance(version, bool):
            self._refuse("version", "", f"This rule says version {shown(version)}; version {VERSION} is understood.")
            return None
        if extra := sorted(str(key) for key in set(raw) - {"version", "root"}):
            self._refuse(extra[0][:60], "", f"A rule has no part {shown(extra[0])}.")
            return None
        if not (isinstance(raw["root"], dict) and set(raw["root"]) & set(MATCHES)):
            self._refuse("root", "", "The root of a rule is a group: all, any or none of its clauses.")
            return None
        root = self._node(raw["root"], "root", ())
        return Rule(root) if isinstance(root, Group) else None

    def _node(self, raw: object, path: str, place: tuple[int, ...]) -> Node | None:
        clause = f"Clause {'.'.join(map(str, place))}" if place else ""
        if not isinstance(raw, dict):
            self._refuse(path, clause, "This is neither a condition nor a group.")
            return None
        names = [name for name in MATCHES if name in raw]
        if not names:
            return self._clause(raw, path, clause)
        if len(names) > 1 or len(raw) > 1:
            self._refuse(path, clause, "A group is exactly one of all, any and none, and nothing else.")
            return None
        return self._group(raw[names[0]], names[0], path, place, clause)

    def _group(self, raw: object, match: Match, path: str, place: tuple[int, ...], clause: str) -> Group | None:
        path = f"{path}.{match}"
        if not isinstance(raw, list):
            self._refuse(path, clause, "A group holds a list of clauses.")
            return None
        if not raw:
            message = "This group is empty. Add a condition or remove the group." if place else _NOTHING_NAMED
            self._refuse(path, clause, message, unfinished=True)
            return None
        if len(place) >= MAX_DEPTH:
            self._refuse(path, clause, f"Groups are nested more than {MAX_DEPTH} deep. Take this group apart.")
            return None
        items: list[Node] = []
        for n, item in enumerate(raw):
            # More clauses than are allowed are not even read.
            if self.clauses >= MAX_CLAUSES:
                where = ".".join(map(str, (*place, n + 1)))
                self._refuse(
                    f"{path}[{n}]",
                    f"Clause {where}",
                    f"A rule has at most {MAX_CLAUSES:,} conditions, and this one is beyond. Ask for code families "
                    "or lists of values instead of single ones.",
                )
                break
            node = self._node(item, f"{path}[{n}]", (*place, n + 1))
            if node is not None:
                items.append(node)
        return Group(match, tuple(items)) if items else None

    def _clause(self, raw: dict[Any, Any], path: str, clause: str) -> Clause | None:
        self.clauses += 1
        readers: dict[str, Callable[[dict[Any, Any]], Clause]] = {
            "attribute": self._attribute,
            "topic": self._topic,
            "event": self._event,
        }
        subjects = [name for name in readers if name in raw]
        if not subjects:
            message = "Choose what this condition is about: an attribute, a topic, or what somebody did with a mailing."
            self._refuse(path, clause, message, unfinished=not raw)
            return None
        if len(subjects) > 1:
            self._refuse(path, clause, "A condition is about one thing only.")
            return None
        try:
            return readers[subjects[0]](raw)
        except BadValue as bad:
            label = self._label(raw)
            self._refuse(path, f"{clause} ({label})" if label else clause, str(bad), unfinished=bad.unfinished)
            return None

    def _label(self, raw: dict[Any, Any]) -> str:
        key = raw.get("attribute")
        field = self.catalog.fields.get(key) if isinstance(key, str) else None
        return field.label if field else ""

    def _attribute(self, raw: dict[Any, Any]) -> Clause:
        key = raw["attribute"]
        if not isinstance(key, str) or not key:
            raise BadValue("Choose an attribute.", unfinished=not key)
        if key in self.catalog.removed:
            label, day = self.catalog.removed[key]
            raise BadValue(
                f"The attribute “{label}” was removed on {day:%d %b %Y}. Remove this condition or choose another one."
            )
        field = self.catalog.fields.get(key)
        if field is None:
            raise BadValue(f"There is no attribute {shown(key)}.")
        op = operators.operator(field.kind, raw.get("op"))
        if op is None:
            known = ", ".join(o.name for o in operators.BY_KIND[field.kind])
            if raw.get("op") in (None, ""):
                raise BadValue("Choose a comparison.", unfinished=True)
            raise BadValue(f"{field.label} cannot be asked {shown(raw.get('op'))}. It can be asked: {known}.")
        allowed = {"attribute", "op"} | ({"value"} if op.takes is not Takes.NOTHING else set())
        _only(raw, allowed | ({"when"} if op.takes is Takes.CODES else set()))
        return _build(field, op, raw.get("value"), raw.get("when", "ever"))

    def _topic(self, raw: dict[Any, Any]) -> Clause:
        _only(raw, {"topic", "op"})
        topic = _id(raw["topic"], "Choose a topic.")
        if topic in self.catalog.removed_topics:
            day = self.catalog.removed_topics[topic]
            raise BadValue(f"Its topic was removed on {day:%d %b %Y}. Remove this condition or choose another topic.")
        if topic not in self.catalog.topics:
            raise BadValue("There is no such topic.")
        state = raw.get("op")
        if not isinstance(state, str) or state not in operators.TOPIC_STATES:
            raise BadValue("A topic can be asked: " + ", ".join(operators.TOPIC_STATES) + ".", unfinished=not state)
        return TopicIs(topic, state)

    def _event(self, raw: dict[Any, Any]) -> Clause:
        _only(raw, {"event", "op", "mailing", "days"})
        event, op = raw["event"], raw.get("op", "did")
        if not isinstance(event, str) or event not in operators.EVENTS:
            raise BadValue("What somebody did with a mailing is one of: " + ", ".join(operators.EVENTS) + ".")
        if op not in ("did", "did_not"):
            raise BadValue("Ask whether somebody did or did_not.")
        mailing = None
        if raw.get("mailing") is not None:
            mailing = _id(raw["mailing"], "Choose a mailing.")
            if mailing not in self.catalog.mailings:
                raise BadValue("There is no such mailing, or nothing of it has been sent yet.")
        span = None if raw.get("days") is None else Span(values.count(raw["days"]))
        return Engaged(event, op == "did", mailing, span=span)


def _only(raw: dict[Any, Any], allowed: set[str]) -> None:
    extra = sorted(str(key) for key in raw if key not in allowed)
    if extra:
        raise BadValue(f"This condition has no part {shown(extra[0])}.")


def _id(raw: object, missing: str) -> UUID:
    if raw in (None, ""):
        raise BadValue(missing, unfinished=True)
    try:
        return UUID(raw) if isinstance(raw, str) else _not_an_id()
    except ValueError:
        return _not_an_id()


def _not_an_id() -> UUID:
    raise BadValue("This is not an id.")


def _build(  # noqa: PLR0911, PLR0912  one case per form
    field: Field, op: Operator, value: Any, when: Any
) -> Clause:
    key, moment = field.key, field.kind == "datetime"
    match op.takes:
        case Takes.NOTHING:
            return Empty(key, op.name == "is_empty", coded=field.kind == "coded")
        case Takes.TEXT:
            return TextIs(key, op.name, (values.text(value),))
        case Takes.TEXTS:
            return TextIs(key, op.name, values.texts(value))
        case Takes.CHOICE:
            return TextIs(key, op.name, (values.choice(value, field),), exact=True)
        case Takes.CHOICES:
            return TextIs(key, op.name, values.choices(value, field), exact=True)
        case Takes.NUMBER:
            return NumberIs(key, op.name, values.number(value))
        case Takes.NUMBERS:
            return NumberIs(key, op.name, *values.numbers(value))
        case Takes.DAY:
            return DateIs(key, op.name, first=values.day(value), moment=moment)
        case Takes.DAYS:
            first, second = values.days(value)
            return DateIs(key, op.name, first=first, second=second, moment=moment)
        case Takes.COUNT:
            return DateIs(key, op.name, span=Span(values.count(value)), moment=moment)
        case Takes.AGES:
            low, high = values.ages(value)
            return DateIs(key, op.name, low=low, high=high, moment=moment)
        case Takes.YES_NO:
            return YesNoIs(key, values.yes_no(value))
        case Takes.CODES:
            return _coded(key, op.name == "has", values.codes(value), when)


def _coded(key: str, has: bool, codes: tuple[str, ...], when: Any) -> HasCode:
    name, given = (when, None) if isinstance(when, str) else (None, None)
    if isinstance(when, dict) and len(when) == 1:
        name, given = next(iter(when.items()))
    takes = operators.WHENS[name][1] if name in operators.WHENS else None
    if takes is None or (takes is Takes.NOTHING) != isinstance(when, str):
        raise BadValue('"when" is "ever", "active", {"in_last": n}, {"started_in_last": n} or {"between": {…}}.')
    assert isinstance(name, str)
    if takes is Takes.COUNT:
        return HasCode(key, has, codes, name, span=Span(values.count(given)))
    if takes is Takes.DAYS:
        first, second = values.days(given)
        return HasCode(key, has, codes, name, first=first, second=second)
    return HasCode(key, has, codes, name)
