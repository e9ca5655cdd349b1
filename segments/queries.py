"""Who matches a rule. PHI predicates never reach SQL: the database is asked for everybody, or by opaque ids."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
from django.db.models import QuerySet

from contacts import opening, values
from contacts import queries as contacts
from core import clock
from core.sensitivity import Sensitivity, highest
from segments import catalog as catalogs
from segments import evaluate, fanout, people, sampling
from segments import sentence as sentences
from segments.catalog import Catalog
from segments.columns import Numbers
from segments.errors import RuleError
from segments.frames import AnyRule, as_rule, evaluated
from segments.models import Membership, Segment
from segments.operators import AGES
from segments.people import Code
from segments.rules import Rule, parse, remains
from segments.tree import (
    VERSION,
    About,
    Clause,
    DateIs,
    Engaged,
    Group,
    HasCode,
    InSegment,
    Node,
    Sample,
    TopicIs,
    attributes_of,
    clauses_of,
    nodes_of,
)


@dataclass(frozen=True, slots=True)
class Masked:
    """A person of a sample: enough to see that it is somebody, too little to learn whom."""

    id: UUID
    name: str
    address: str


def segments() -> "QuerySet[Segment]":
    """Segments in use, newest first."""
    return Segment.objects.filter(archived_at=None).order_by("-created_at")


def archived() -> "QuerySet[Segment]":
    return Segment.objects.filter(archived_at__isnull=False).order_by("-archived_at")


def rule_of(segment: Segment) -> object:
    """The rule that asks for whoever is in a segment: its own, or that they are in the snapshot."""
    if segment.kind == Segment.Kind.SNAPSHOT:
        return {"version": VERSION, "root": {"all": [{"segment": str(segment.pk), "op": "in"}]}}
    return segment.rule


def referred(raw: object) -> dict[UUID, Any]:
    """What a rule relies on beside itself: the rules of segments named in it, and of snapshots the row that says who is
    in. Whoever approves the rule approves these. Nothing where the rule makes no sense."""
    if not _names_segments(raw):
        return {}
    catalog = catalogs.load()
    try:
        nodes = nodes_of(parse(raw, catalog).root)
    except RuleError:
        return {}
    named = {node.segment: node.snapshot for node in nodes if isinstance(node, InSegment)}
    rows = Membership.objects.filter(segment__in=[segment for segment, snapshot in named.items() if snapshot])
    newest = dict(rows.order_by("segment", "-taken_at").distinct("segment").values_list("segment", "pk"))
    return {
        segment: str(newest.get(segment)) if snapshot else catalog.segments[segment].rule
        for segment, snapshot in named.items()
    }


def _names_segments(raw: object) -> bool:
    if isinstance(raw, dict):
        return "segment" in raw or any(_names_segments(part) for part in raw.values())
    return isinstance(raw, list) and any(_names_segments(part) for part in raw)


def audience(rule: AnyRule, at: datetime | None = None) -> list[UUID]:
    """Everybody the rule matches, now or as of `at` (what "today" is, and consent), ordered by id.

    People's values and what they did with mailings are always those of now.
    Raises RuleError where the rule no longer makes sense, for instance because an attribute was removed.
    """
    catalog = catalogs.load()
    rule = as_rule(rule, catalog)
    found: list[bytes] = []
    if fanout.is_shared():
        matching = Numbers.of(fanout.members(rule, at or clock.now(), catalog).to_array())
        masks = ((frame, frame.present & matching.among(frame.numbers)) for frame in people.frames_of({}, ids=True))
    else:
        every = evaluated(rule, catalog, at, ids=True)
        masks = ((frame, evaluate.matches(rule, frame, context)) for frame, context in every)
    for frame, mask in masks:
        ids = frame.columns["id"]
        assert isinstance(ids, pl.Series)
        found += ids.filter(pl.Series(mask)).to_list()
    return [UUID(bytes=i) for i in sorted(found)]


def count(rule: AnyRule, at: datetime | None = None, catalog: Catalog | None = None) -> int:
    """How many people the rule matches. Exact: what a person may be told is segments.commands.ask's matter."""
    catalog = catalog or catalogs.load()
    rule = as_rule(rule, catalog)
    return counts(rule, [rule.root], catalog, at)[0]


def counts(rule: Rule, nodes: list[Node], catalog: Catalog, at: datetime | None = None) -> list[int]:
    """How many people each of these parts of the rule matches by itself."""
    if fanout.is_shared():
        return [len(crowd) for crowd in fanout.crowds(rule, nodes, at or clock.now(), catalog)[1:]]
    totals = [0] * len(nodes)
    for frame, context in evaluated(rule, catalog, at):
        found = evaluate.masks(nodes, frame, context)
        totals = [total + int(np.count_nonzero(mask)) for total, mask in zip(totals, found, strict=True)]
    return totals


def sample(rule: AnyRule, n: int = 5, catalog: Catalog | None = None) -> list[Masked]:
    """A few of the people it matches, masked; the same few as long as the same people match."""
    matching = fanout.members(rule, clock.now(), catalog).to_array()
    few = sampling.first(np.asarray(matching), n).tolist()
    order = {number: place for place, number in enumerate(few)}
    opened = sorted(opening.numbered(few), key=lambda person: order[person[0]])
    definitions = contacts.attributes()

    def shown(key: str, held: dict[str, object]) -> str:
        return values.masked(definitions[key], held.get(key)) if key in definitions else ""

    return [
        Masked(
            pk,
            f"{shown('first_name', r.values)} {shown('last_name', r.values)}".strip() or "(no name)",
            shown("email", r.values) or "(no address)",
        )
        for _, pk, r in opened
    ]


def _sensitivity(clause: Clause, catalog: Catalog) -> Sensitivity:
    match clause:
        case TopicIs() | Sample():
            return Sensitivity.IDENTITY
        case InSegment():
            return _tier_of_segment(clause, catalog)
        case Engaged():
            return _tier_of_mailing(clause, catalog)
        case _:
            return catalog.fields[clause.attribute].sensitivity


def _tier_of_segment(clause: InSegment, catalog: Catalog) -> Sensitivity:
    """What its rule, or the rule a snapshot was taken by, asks as it counts today; of a snapshot no less than
    segments.rules.remains says."""
    inner = clauses_of(clause.root) if clause.root else []
    return highest(clause.tier, *(_sensitivity(one, catalog) for one in inner))


def _tier_of_mailing(clause: Engaged, catalog: Catalog) -> Sensitivity:
    """Which mailing is the latest changes: the highest tier it can have counts."""
    if clause.mailing is not None:
        return catalog.mailings[clause.mailing].tier
    if not clause.last and clause.topic is None:
        return Sensitivity.IDENTITY
    tiers = (m.tier for m in catalog.mailings.values() if clause.topic in (None, m.topic))
    return highest(Sensitivity.IDENTITY, *tiers)


def tier_of(rule: AnyRule, catalog: Catalog | None = None) -> Sensitivity:
    """The highest sensitivity among what the rule asks; at least identity, for being in our records says something."""
    catalog = catalog or catalogs.load()
    clauses = clauses_of(as_rule(rule, catalog).root)
    return highest(Sensitivity.IDENTITY, *(_sensitivity(clause, catalog) for clause in clauses))


def tier_today(segment: Segment, catalog: Catalog | None = None) -> Sensitivity:
    """What being in this segment may say of somebody, as things count today; no less than as saved where no rule says
    it, or what the rule of a snapshot names may have been something else."""
    catalog = catalog or catalogs.load()
    if segment.kind == Segment.Kind.RULE:
        with suppress(RuleError):
            return tier_of(segment.rule, catalog)
    root, least = remains(segment.rule, Sensitivity(segment.tier), catalog)
    return highest(least, *(_sensitivity(clause, catalog) for clause in (clauses_of(root) if root else [])))


def fields_of(rule: AnyRule, catalog: Catalog | None = None) -> list[str]:
    """Keys of the attributes the rule names, sorted."""
    return sorted(attributes_of(as_rule(rule, catalog)))


def mixes_identifiers_with_health(rule: Rule, catalog: Catalog) -> bool:
    """Whether the rule can ask about a known person's health (IDX-09)."""
    points = any(_points(clause, catalog) for clause in clauses_of(rule.root))
    return points and tier_of(rule, catalog).rank >= Sensitivity.PHI.rank


def _points(clause: Clause, catalog: Catalog) -> bool:
    """Whether a clause can point at one person. An age does not: thousands share it, but for an age on another day."""
    if isinstance(clause, InSegment):  # of a snapshot that makes no sense any more nothing is known
        return clause.root is None
    if not isinstance(clause, About) or not catalog.fields[clause.attribute].identifier:
        return False
    return not (isinstance(clause, DateIs) and clause.op in AGES and clause.first is None)


def beside_health(rule: Rule, catalog: Catalog) -> list[Node]:
    """Of a rule that asks about health each part that does not, and what is left of each group that does."""
    nodes = nodes_of(rule.root)
    bare = {id(node): _without_health(node, catalog) for node in nodes}
    if bare[id(rule.root)] == rule.root:
        return []
    return list(dict.fromkeys(left for node in nodes if (left := bare[id(node)]) is not None))


def _without_health(node: Node, catalog: Catalog) -> Node | None:
    if isinstance(node, InSegment) and not node.snapshot and node.root is not None:
        root = _without_health(node.root, catalog)
        if root is None or root == node.root:
            return None if root is None else node
        return root if node.inside else Group("none", (root,))
    if not isinstance(node, Group):
        return None if _sensitivity(node, catalog).rank >= Sensitivity.PHI.rank else node
    items = tuple(left for item in node.items if (left := _without_health(item, catalog)) is not None)
    return Group(node.match, items) if items else None


def codes_offered(attribute: str) -> list[Code]:
    """Codes in use in a coded list, with their names, most frequent first."""
    return people.codes().get(attribute, [])


def code_names(*rules: Rule, least: int = 0) -> dict[tuple[str, str], str]:
    """What the codes of these rules that at least so many people have are called, for their sentences."""
    asked = {
        (clause.attribute, code)
        for rule in rules
        for clause in clauses_of(rule.root)
        if isinstance(clause, HasCode)
        for code in clause.codes
        if not code.endswith("*")
    }
    if not asked:
        return {}
    known = people.codes()
    return {
        (key, code.code): code.display
        for key in {key for key, _ in asked}
        for code in known.get(key, [])
        if (key, code.code) in asked and code.display and code.people >= least
    }


def sentence(rule: AnyRule, catalog: Catalog | None = None, *, least: int = 0) -> str:
    """The rule in plain English, codes that at least so many people have by their names."""
    catalog = catalog or catalogs.load()
    rule = as_rule(rule, catalog)
    return sentences.sentence(rule, catalog, code_names(rule, least=least))


def sentences_of(segments: Iterable[Segment]) -> list[tuple[Segment, str, Sensitivity]]:
    """Each segment with its sentence, or with what is wrong with its rule, and its tier of today; however many, the
    same statements."""
    catalog = catalogs.load(named=True)
    parsed: list[tuple[Segment, Rule | RuleError]] = []
    for segment in segments:
        try:
            parsed.append((segment, parse(segment.rule, catalog)))
        except RuleError as refusal:
            parsed.append((segment, refusal))
    names = code_names(*(rule for _, rule in parsed if isinstance(rule, Rule)))
    return [
        (segment, _said(segment, sentences.sentence(rule, catalog, names)), tier_of(rule, catalog))
        if isinstance(rule, Rule)
        else (segment, _said(segment, "", f"Needs attention: {rule}"), tier_today(segment, catalog))
        for segment, rule in parsed
    ]


def _said(segment: Segment, sentence: str, otherwise: str = "") -> str:
    """Who is in it, in a sentence. A snapshot outlives its rule, and one begun by hand never had one."""
    if segment.kind != Segment.Kind.SNAPSHOT:
        return sentence or otherwise
    return f"As of one day: {sentence[0].lower()}{sentence[1:]}" if sentence else "Whoever was put in by hand."
