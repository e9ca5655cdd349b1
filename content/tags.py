"""Which merge tags a text uses, and where."""

import re
from dataclasses import dataclass

from jinja2 import meta, nodes

from content import sandbox

#: Given to every message beside the person's values.
PROVIDED = {
    "unsubscribe_url": "Link: stop these mails",
    "preferences_url": "Link: choose which mails",
    "organization": "Your organization (.name, .postal_address, .contact_email, .contact_phone)",
}
ORGANIZATION_PARTS = ("name", "postal_address", "contact_email", "contact_phone")


@dataclass(frozen=True, slots=True)
class Use:
    """One attribute key in a text: its first line, and whether every printing of it has a fallback."""

    key: str
    line: int
    has_fallback: bool


def uses(source: str) -> dict[str, Use]:
    """By key, every name the text takes from outside. Raises TemplateBroken."""
    tree = sandbox.parse(source)
    outside = meta.find_undeclared_variables(tree)
    guarded = _guarded_names(tree)
    found: dict[str, Use] = {}
    for name in tree.find_all(nodes.Name):
        if name.name in outside and name.ctx == "load":
            known = found.get(name.name)
            safe = id(name) in guarded
            if known is None:
                found[name.name] = Use(name.name, name.lineno, safe)
            elif known.has_fallback and not safe:
                found[name.name] = Use(name.name, name.lineno, False)
    return found


def _guarded_names(tree: nodes.Node) -> set[int]:
    """Ids of the Name nodes whose missing value is provided for: default filter, `or`, or an `if` that asks first."""
    guarded: set[int] = set()
    for filtered in tree.find_all(nodes.Filter):
        if filtered.name in ("default", "d") and filtered.node is not None:
            guarded |= {id(name) for name in filtered.node.find_all(nodes.Name)} | {id(filtered.node)}
    for either in tree.find_all(nodes.Or):
        guarded |= {id(name) for name in either.left.find_all(nodes.Name)} | {id(either.left)}
    for condition in tree.find_all((nodes.If, nodes.CondExpr)):
        assert isinstance(condition, nodes.If | nodes.CondExpr)
        asked = {name.name for name in condition.test.find_all(nodes.Name)}
        asked |= {condition.test.name} if isinstance(condition.test, nodes.Name) else set()
        body: list[nodes.Node] = condition.body if isinstance(condition, nodes.If) else [condition.expr1]
        guarded |= {id(condition.test)} | {id(name) for name in condition.test.find_all(nodes.Name)}
        for part in body:
            names = [*part.find_all(nodes.Name)] + ([part] if isinstance(part, nodes.Name) else [])
            guarded |= {id(name) for name in names if name.name in asked}
    return guarded


def tag_names(fragment: str) -> set[str]:
    """Names printed inside a fragment such as an attribute's value; empty where it does not parse."""
    try:
        return set(uses(fragment))
    except Exception:
        return set(re.findall(r"[a-z_][a-z0-9_]*", fragment))
