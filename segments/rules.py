"""Parse a rule, and say in plain words which clause is wrong and why.

Rules come from people, machines and old rows: nothing about their form is believed. A segment that a rule names is put
in its place, so that what comes out is one tree.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from core.sensitivity import Sensitivity, highest
from segments import catalog as catalogs
from segments import conditions, operators
from segments.catalog import Catalog
from segments.errors import Problem, RuleError
from segments.migrate_rules import migrated
from segments.tree import (
    MATCHES,
    MAX_BYTES,
    MAX_CLAUSES,
    MAX_DEPTH,
    MAX_NESTED,
    VERSION,
    Clause,
    Group,
    HasCode,
    InSegment,
    Match,
    Node,
    Rule,
    TextIs,
    clauses_of,
    nodes_of,
)
from segments.values import BadValue, shown

__all__ = ["Rule", "RuleError", "parse", "parse_leniently"]

_NOTHING_NAMED = "The rule names nothing yet. Add at least one condition."
_READERS: dict[str, Callable[[dict[Any, Any], Catalog], Clause]] = {
    "attribute": conditions.attribute,
    "topic": conditions.topic,
    "event": conditions.event,
    "sample": conditions.sample,
}


def parse(raw: object, catalog: Catalog | None = None, *, saving: UUID | None = None) -> Rule:
    """The typed rule, of version 2 or 1. Raises RuleError with every problem found, the first in its text.

    `saving`: the segment whose rule this is to become, which it may not name, by whatever way round.
    """
    parser = _Parser(catalog or catalogs.load(), within=() if saving is None else (saving,))
    rule = parser.rule(raw)
    if parser.problems or rule is None:
        raise RuleError(parser.problems)
    return rule


def parse_leniently(raw: object, catalog: Catalog, *, saving: UUID | None = None) -> tuple[Rule | None, list[Problem]]:
    """The rule without its unfinished clauses (None if nothing is left), and all problems. For the builder's count."""
    parser = _Parser(catalog, within=() if saving is None else (saving,))
    return parser.rule(raw), parser.problems


def remains(
    raw: object,
    kept: Sensitivity,
    catalog: Catalog,
    *,
    within: tuple[UUID, ...] = (),
    known: dict[UUID, Group | BadValue] | None = None,
) -> tuple[Group | None, Sensitivity]:
    """What still makes sense of a rule that people were taken by, and what that says of them at least.

    That is what it did when it was `kept` where some of it was removed since, which counts as it did last, or where it
    names a segment by a rule, which may be another one by now.
    """
    parser = _Parser(catalog, within=within, known=known)
    rule = parser.rule(raw)
    root = rule.root if rule else None
    by_way = root is not None and any(isinstance(n, InSegment) and not n.snapshot for n in nodes_of(root))
    return root, highest(kept, parser.lost) if parser.problems or by_way else Sensitivity.IDENTITY


class _Circle(BadValue):
    def __init__(self) -> None:
        super().__init__(
            "A segment cannot be part of itself, and the one named here leads back to where it is named. "
            "Choose another segment."
        )


class _Parser:
    """`within`: the segments this rule is part of. `known`: rules of segments already read, or what is wrong."""

    def __init__(
        self, catalog: Catalog, *, within: tuple[UUID, ...], known: dict[UUID, Group | BadValue] | None = None
    ) -> None:
        self.catalog = catalog
        self.within = within
        self.known: dict[UUID, Group | BadValue] = {} if known is None else known
        self.problems: list[Problem] = []
        self.clauses = 0
        self.bytes = 0
        self.circle = False
        #: The highest sensitivity of attributes that are named and were removed.
        self.lost = Sensitivity.IDENTITY

    def _refuse(self, path: str, clause: str, message: str, *, unfinished: bool = False) -> None:
        self.problems.append(Problem(path, clause, message, unfinished))

    def rule(self, raw: object) -> Rule | None:
        if not isinstance(raw, dict) or "root" not in raw:
            self._refuse("", "", f'A rule has the form {{"version": {VERSION}, "root": {{"all": […]}}}}.')
            return None
        raw = migrated(raw)
        assert isinstance(raw, dict)
        version = raw.get("version")
        if version != VERSION or isinstance(version, bool):
            self._refuse("version", "", f"This rule says version {shown(version)}; version {VERSION} is understood.")
            return None
        if extra := sorted(str(key) for key in set(raw) - {"version", "root"}):
            self._refuse(extra[0][:60], "", f"A rule has no part {shown(extra[0])}.")
            return None
        if not (isinstance(raw["root"], dict) and set(raw["root"]) & set(MATCHES)):
            self._refuse("root", "", "The root of a rule is a group: all, any or none of its conditions.")
            return None
        root = self._node(raw["root"], "root", ())
        return Rule(root) if isinstance(root, Group) else None

    def _node(self, raw: object, path: str, place: tuple[int, ...]) -> Node | None:
        clause = f"Condition {'.'.join(map(str, place))}" if place else ""
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
            self._refuse(path, clause, "A group holds a list of conditions.")
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
            # More than is allowed is not even read.
            if beyond := self._beyond():
                self._refuse(f"{path}[{n}]", f"Condition {'.'.join(map(str, (*place, n + 1)))}", beyond)
                break
            node = self._node(item, f"{path}[{n}]", (*place, n + 1))
            if node is not None:
                items.append(node)
        return Group(match, tuple(items)) if items else None

    def _beyond(self) -> str:
        if self.clauses >= MAX_CLAUSES:
            return (
                f"A rule has at most {MAX_CLAUSES:,} conditions, those of the segments it names included, and this "
                "one is beyond. Ask for code families or lists of values instead of single ones."
            )
        if self.bytes > MAX_BYTES:
            return f"The texts of a rule take at most {MAX_BYTES // 2**20} MB, and this one is beyond."
        return ""

    def _clause(self, raw: dict[Any, Any], path: str, clause: str) -> Clause | None:
        self.clauses += 1
        subjects = [name for name in (*_READERS, "segment") if name in raw]
        if not subjects:
            message = "Choose what this condition is about: an attribute, a topic, or what somebody did with a mailing."
            self._refuse(path, clause, message, unfinished=not raw)
            return None
        if len(subjects) > 1:
            self._refuse(path, clause, "A condition is about one thing only.")
            return None
        try:
            reader = _READERS.get(subjects[0])
            found = self._segment(raw) if reader is None else reader(raw, self.catalog)
        except BadValue as bad:
            self.circle = self.circle or isinstance(bad, _Circle)
            self.lost = highest(self.lost, self.catalog.removed_tiers.get(str(raw.get("attribute")), self.lost))
            label = self._label(raw)
            self._refuse(path, f"{clause} ({label})" if label else clause, str(bad), unfinished=bad.unfinished)
            return None
        if isinstance(found, TextIs | HasCode):
            texts = found.values if isinstance(found, TextIs) else found.codes
            self.bytes += sum(len(text.encode()) for text in texts)
        return found

    def _label(self, raw: dict[Any, Any]) -> str:
        key = raw.get("attribute")
        field = self.catalog.fields.get(key) if isinstance(key, str) else None
        return field.label if field else ""

    def _segment(self, raw: dict[Any, Any]) -> InSegment:
        """What is said of a segment names neither it nor its values: it may end in the log of a task."""
        conditions.only(raw, {"segment", "op"})
        segment = conditions.identity(raw["segment"], "Choose a segment.")
        op = raw.get("op")
        if not isinstance(op, str) or op not in operators.SEGMENT:
            raise BadValue("Ask whether somebody is “in” a segment or “not_in” it.", unfinished=not op)
        if segment in self.within:
            raise _Circle
        saved = self.catalog.segments.get(segment)
        if saved is None:
            raise BadValue("There is no such segment.")
        if saved.archived:
            raise BadValue("The segment named here is archived. Restore it, or choose another one.")
        if len(self.within) >= MAX_NESTED:
            raise BadValue(f"Segments are named within one another more than {MAX_NESTED} deep. Take one of them out.")
        if saved.snapshot:
            within = (*self.within, segment)
            taken_by, tier = remains(saved.rule, saved.tier, self.catalog, within=within, known=self.known)
            return InSegment(segment, op == "in", snapshot=True, root=taken_by, tier=tier)
        root = self._rule_of(segment, saved.rule)
        inner = clauses_of(root)
        self.clauses += len(inner) - 1
        if self.clauses > MAX_CLAUSES:
            raise BadValue(self._beyond())
        return InSegment(segment, op == "in", root=root)

    def _rule_of(self, segment: UUID, raw: object) -> Group:
        if segment not in self.known:
            self.known[segment] = self._read(segment, raw)
        found = self.known[segment]
        if isinstance(found, BadValue):
            raise found
        return found

    def _read(self, segment: UUID, raw: object) -> Group | BadValue:
        parser = _Parser(self.catalog, within=(*self.within, segment), known=self.known)
        rule = parser.rule(raw)
        if parser.circle:
            return _Circle()
        if rule is None or parser.problems:
            return BadValue(f"The segment named here needs attention. {parser.problems[0]}")
        return rule.root
