"""A rule while somebody builds it: what stands in the form, finished or not. Pure.

The whole form is posted with every step, so nothing typed is lost; a step changes the draft and the page is drawn anew.
A node is called by its place: "r" is the root, "r-2-0" the first item of its third.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from segments import operators, tree
from segments.catalog import Catalog, Field
from segments.migrate_rules import migrated
from segments.operators import BY_KIND, WHENS, Operator, Takes, operator
from segments.tree import MATCHES, MAX_DEPTH, VERSION, Rule

ROOT = "r"
#: The parts of a condition that are one value; "value" is a list.
PARTS = (
    *("subject", "op", "to", "anchor", "anchor_unit", "anchor2", "anchor2_unit", "unit", "days", "topic", "mailing"),
    *("when", "when_anchor", "when_anchor_unit", "when_from", "when_anchor2", "when_anchor2_unit", "when_to", "q"),
    *("zone", "on_anchor", "on_anchor_unit", "on", "times_op", "times", "of_topic", "link", "percent", "seed"),
    "segment",
)
SUBJECTS = ("attribute", "topic", "event", "sample", "segment")
#: Deeper than any rule may be; what hangs deeper was put there by no button of ours.
DEEPEST = 2 * MAX_DEPTH
_PLACE = re.compile(r"\[(\d+)\]")
_INTEGER = re.compile(r"[+-]?\d{1,18}")


@dataclass(slots=True)
class Clause:
    """A condition as typed: `subject` is "attribute:<key>", "topic", "event:<what>", "sample" or "segment".

    `unit` is that of a length of time (`value`, or `days` of `when`), days where it says nothing; `anchor_unit` and its
    like that of a day counted from today.
    """

    parts: dict[str, str] = field(default_factory=dict)
    values: list[str] = field(default_factory=list)

    def part(self, name: str) -> str:
        return self.parts.get(name, "")

    @property
    def key(self) -> str:
        return self.part("subject").removeprefix("attribute:") if self.part("subject").startswith("attribute:") else ""

    @property
    def event(self) -> str:
        return self.part("subject").removeprefix("event:") if self.part("subject").startswith("event:") else ""


@dataclass(slots=True)
class Group:
    match: str = "all"
    items: list[Group | Clause] = field(default_factory=list)


def path_of(place: str) -> str:
    """ "root.all[2].any[0]" → "r-2-0"."""
    return "-".join([ROOT, *_PLACE.findall(place)])


def walk(node: Group | Clause, name: str = ROOT) -> Iterator[tuple[str, Group | Clause]]:
    yield name, node
    if isinstance(node, Group):
        for n, item in enumerate(node.items):
            yield from walk(item, f"{name}-{n}")


def find(root: Group, name: str) -> Group | Clause | None:
    return next((node for place, node in walk(root) if place == name), None)


def nodes_of(root: Group, rule: Rule, left_out: Container[str]) -> dict[str, tree.Node]:
    """The parts of a rule by the names of their nodes in the draft it was made of; `left_out` are not in the rule."""
    found: dict[str, tree.Node] = {}
    _pair(root, rule.root, ROOT, left_out, found)
    del found[ROOT]
    return found


def _pair(
    node: Group | Clause, of: tree.Node, name: str, left_out: Container[str], found: dict[str, tree.Node]
) -> None:
    found[name] = of
    if isinstance(node, Group) and isinstance(of, tree.Group):
        kept = [(f"{name}-{n}", item) for n, item in enumerate(node.items)]
        kept = [(at, item) for at, item in kept if _stands(item, at, left_out)]
        for (at, item), part in zip(kept, of.items, strict=True):
            _pair(item, part, at, left_out, found)


def _stands(node: Group | Clause, name: str, left_out: Container[str]) -> bool:
    if isinstance(node, Clause):
        return name not in left_out
    return any(_stands(item, f"{name}-{n}", left_out) for n, item in enumerate(node.items))


# From the form


def from_post(data: QueryDict) -> Group:
    """The draft the form describes; parts that hang nowhere are left out."""
    root = Group(_match(data, ROOT))
    places: dict[str, Group] = {ROOT: root}
    for entry in data.getlist("node"):
        name, _, kind = str(entry).partition(":")
        parent = places.get(name.rpartition("-")[0])
        if parent is None or name in places or name.count("-") > DEEPEST:
            continue
        if kind == "group":
            places[name] = Group(_match(data, name))
            parent.items.append(places[name])
        else:
            parent.items.append(_clause(data, name))
    return root


def _clause(data: QueryDict, name: str) -> Clause:
    parts = {part: str(data.get(f"{name}.{part}", "")) for part in PARTS}
    was, now = str(data.get(f"{name}.was", "")), parts["subject"]
    # What was typed for another subject says nothing of this one; three kinds of event are asked alike.
    if was not in ("", now) and not (was.startswith("event:") and now.startswith("event:")):
        return Clause({"subject": now})
    return Clause(parts, [str(v) for v in data.getlist(f"{name}.value")])


def _match(data: QueryDict, name: str) -> str:
    match = str(data.get(f"{name}.match", "all"))
    return match if match in MATCHES else "all"


# To a rule


def to_rule(root: Group, catalog: Catalog) -> dict[str, Any]:
    """The draft as rule JSON; what is not filled in is null, so that the parser can say so."""
    return {"version": VERSION, "root": _node(root, catalog)}


def _node(node: Group | Clause, catalog: Catalog) -> dict[str, Any]:  # noqa: PLR0911  one case per kind
    if isinstance(node, Group):
        return {node.match: [_node(item, catalog) for item in node.items]}
    if node.part("subject") == "topic":
        return {"topic": node.part("topic") or None, "op": node.part("op") or "opted_in"}
    if node.part("subject") == "segment":
        return {"segment": node.part("segment") or None, "op": node.part("op") or "in"}
    if node.part("subject") == "sample":
        return {"sample": {"percent": _number(node.part("percent")), "seed": _number(node.part("seed")) or 0}}
    if node.event:
        return _event(node)
    if not node.key:
        return {}
    known = catalog.fields.get(node.key)
    op = chosen(node, known) if known else None
    if known is None or op is None:
        return {"attribute": node.key, "op": node.part("op")}
    rule: dict[str, Any] = {"attribute": node.key, "op": op.name}
    if op.takes is not Takes.NOTHING:
        rule["value"] = _value(node, op.takes)
    asked = operators.parts(known.kind, op)
    if "when" in asked:
        rule["when"] = _when(node, node.part("when") or "ever")
    if "times" in asked and node.part("times_op"):
        rule["times"] = {node.part("times_op"): _number(node.part("times"))}
    if "zone" in asked and node.part("zone"):
        rule["zone"] = node.part("zone")
    if "on" in asked and node.part("on_anchor"):
        rule["on"] = _day(node, "on_anchor", node.part("on"))
    return rule


def _event(node: Clause) -> dict[str, Any]:
    op, link = node.part("op") or "did", _number(node.part("link"))
    rule: dict[str, Any] = {"event": node.event, "op": op, "mailing": node.part("mailing") or None}
    if node.part("of_topic"):
        rule["of_topic"] = node.part("of_topic")
    if link is not None:
        rule["link"] = link
    if op == "did" and node.part("times_op"):
        rule["times"] = {node.part("times_op"): _number(node.part("times"))}
    when = node.part("when") or ("in_last" if node.part("days").strip() else "")
    if when:
        rule["when"] = _when(node, when)
    return rule


def chosen(clause: Clause, known: Field) -> Operator:
    """The operator of a condition; the first one where the form names none that fits."""
    return operator(known.kind, clause.part("op")) or BY_KIND[known.kind][0]


def _first(node: Clause) -> str:
    return node.values[0].strip() if node.values else ""


def _number(text: str) -> Any:
    """A number where it is one; else the text itself, for the parser to refuse; None where nothing stands."""
    text = text.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        return float(text) if text else None
    except ValueError:
        return text


def _day(node: Clause, anchor: str, text: str) -> Any:
    text, how = text.strip(), node.part(anchor)
    if how == "today":
        return {"days": 0}
    if how in ("ago", "ahead"):
        count = _number(text)
        unit = node.part(f"{anchor}_unit") or "days"
        return {unit: -count if how == "ago" and isinstance(count, int) else count} if text else None
    return text or None


def _span(node: Clause, text: str) -> Any:
    count = _number(text)
    return None if count is None else {node.part("unit") or "days": count}


def _value(node: Clause, takes: Takes) -> Any:  # noqa: PLR0911  one case per form
    match takes:
        case Takes.TEXT | Takes.CHOICE:
            return _first(node) or None
        case Takes.TEXTS:
            return [line.strip() for value in node.values for line in value.splitlines() if line.strip()]
        case Takes.CHOICES | Takes.CODES | Takes.WEEKDAYS:
            return [value for value in node.values if value]
        case Takes.NUMBER | Takes.AGE:
            return _number(_first(node))
        case Takes.COUNT:
            return _span(node, _first(node))
        case Takes.NUMBERS | Takes.AGES:
            return {"from": _number(_first(node)), "to": _number(node.part("to"))}
        case Takes.YES_NO:
            return {"yes": True, "no": False}.get(_first(node))
        case Takes.DAY:
            return _day(node, "anchor", _first(node))
        case _:
            return {
                "from": _day(node, "anchor", _first(node)),
                "to": _day(node, "anchor2", node.part("to")),
            }


def _when(node: Clause, when: str) -> Any:
    takes = WHENS[when][1] if when in WHENS else Takes.NOTHING
    if takes is Takes.COUNT:
        return {when: _span(node, node.part("days"))}
    if takes is Takes.DAYS:
        first = _day(node, "when_anchor", node.part("when_from"))
        return {when: {"from": first, "to": _day(node, "when_anchor2", node.part("when_to"))}}
    return when


# From a rule


def from_rule(rule: Mapping[str, Any]) -> Group:
    """The form of a rule that was saved, whether or not it still makes sense."""
    current = migrated(rule)
    node = _draft(current.get("root", {})) if isinstance(current, Mapping) else None
    return node if isinstance(node, Group) else Group()


def _draft(raw: Mapping[str, Any]) -> Group | Clause:
    for match in MATCHES:
        if match in raw:
            return Group(match, [_draft(item) for item in raw[match]])
    named = ("op", "topic", "mailing", "of_topic", "link", "zone", "segment")
    clause = Clause({name: _plain(raw[name]) for name in named if raw.get(name) is not None})
    clause.parts["subject"] = next(
        (f"{name}:{raw[name]}" if name in ("attribute", "event") else name for name in SUBJECTS if name in raw),
        "attribute:",
    )
    if "sample" in raw:
        clause.parts |= {name: _plain(given) for name, given in raw["sample"].items()}
    _fill(clause, raw.get("value"))
    if raw.get("on") is not None:
        clause.parts["on"] = _undo_day(clause, "on_anchor", raw["on"])
    if raw.get("times") is not None:
        clause.parts["times_op"], times = next(iter(raw["times"].items()))
        clause.parts["times"] = _plain(times)
    _fill_when(clause, raw.get("when"))
    return clause


def _fill_when(clause: Clause, when: Any) -> None:
    name, given = next(iter(when.items())) if isinstance(when, Mapping) else (when, None)
    if name is None:
        return
    clause.parts["when"] = name
    if isinstance(given, Mapping) and "from" in given:
        clause.parts["when_from"] = _undo_day(clause, "when_anchor", given["from"])
        clause.parts["when_to"] = _undo_day(clause, "when_anchor2", given["to"])
    elif isinstance(given, Mapping):
        clause.parts["unit"], count = next(iter(given.items()))
        clause.parts["days"] = _plain(count)


def _fill(clause: Clause, value: Any) -> None:
    if isinstance(value, list):
        clause.values = [str(item) for item in value]
    elif isinstance(value, bool):
        clause.values = ["yes" if value else "no"]
    elif isinstance(value, Mapping) and "from" in value:
        clause.parts["to"] = _undo_day(clause, "anchor2", value["to"])
        clause.values = [_undo_day(clause, "anchor", value["from"])]
    elif value is not None:
        clause.values = [_undo_day(clause, "anchor", value)]


def _undo_day(clause: Clause, anchor: str, value: Any) -> str:
    """What stands in the field; how it is meant goes into the part `anchor`, and a length of time gives its unit."""
    clause.parts[anchor] = "on"
    if not isinstance(value, Mapping):
        return _plain(value)
    unit, count = next(iter(value.items()))
    clause.parts[f"{anchor}_unit"] = clause.parts["unit"] = unit
    clause.parts[anchor] = "today" if count == 0 else "ago" if count < 0 else "ahead"
    return "" if count == 0 and anchor != "anchor" else str(abs(count))


def _plain(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
