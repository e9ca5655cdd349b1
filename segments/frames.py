"""What a rule is evaluated over: people's columns, each frame with the context it needs."""

from collections.abc import Iterator
from datetime import datetime

from contacts.models import Kind
from segments import people
from segments.catalog import Catalog
from segments.columns import Frame
from segments.context import Context
from segments.dates import TIME_ZONE
from segments.facts.lookup import context_for
from segments.rules import Rule, parse
from segments.tree import About, DateIs, evaluated_clauses

#: A rule as parsed, or its JSON as it is stored.
AnyRule = Rule | object


def as_rule(rule: AnyRule, catalog: Catalog | None = None) -> Rule:
    """The rule, parsed if it is not. Raises RuleError."""
    return rule if isinstance(rule, Rule) else parse(rule, catalog)


def evaluated(
    rule: Rule, catalog: Catalog, at: datetime | None = None, *, ids: bool = False
) -> Iterator[tuple[Frame, Context]]:
    """Everybody in frames, each with the context for the rule."""
    context = context_for(rule, at)
    for frame in people.frames_of(kinds_of(rule, catalog), ids=ids):
        yield frame, context


def kinds_of(rule: Rule, catalog: Catalog) -> dict[str, str]:
    """The columns the rule is answered from."""
    asked = [clause for clause in evaluated_clauses(rule.root) if isinstance(clause, About)]
    kinds = {key: catalog.fields[key].kind for key in sorted({clause.attribute for clause in asked})}
    if any(isinstance(clause, DateIs) and clause.contact for clause in asked):
        kinds[TIME_ZONE] = Kind.TEXT
    return kinds
