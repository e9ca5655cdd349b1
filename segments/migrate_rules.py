"""Rules of version 1 as version 2. Pure; what is no rule stays as it is, for the parser to refuse."""

from typing import Any

_RENAMED = {"days_ago": "ago", "days_ahead": "ahead", "anniversary_in_next": "birthday_in_next"}
_SPANS = frozenset({"in_last", "in_next", "more_than_ago", *_RENAMED})


def migrated(raw: object) -> object:
    """The rule in version 2, itself if it is already, or something else altogether."""
    if not isinstance(raw, dict) or raw.get("version") != 1 or isinstance(raw["version"], bool):
        return raw
    return {**raw, "version": 2, "root": _node(raw.get("root"), 0)}


def _node(raw: Any, depth: int) -> Any:
    if not isinstance(raw, dict) or depth > 100:  # deeper than any rule may be
        return raw
    for match in ("all", "any", "none"):
        if isinstance(raw.get(match), list):
            return {**raw, match: [_node(item, depth + 1) for item in raw[match]]}
    if "event" in raw:
        days = raw.get("days")
        kept = {key: value for key, value in raw.items() if key != "days"}
        return kept if days is None else {**kept, "when": {"in_last": {"days": days}}}
    changed = dict(raw)
    op = raw.get("op")
    if isinstance(op, str) and op in _SPANS and "value" in raw:
        changed["op"] = _RENAMED.get(op, op)
        changed["value"] = None if raw["value"] is None else {"days": raw["value"]}
    when = raw.get("when")
    if isinstance(when, dict):
        changed["when"] = {
            name: {"days": given} if name in ("in_last", "started_in_last") else given for name, given in when.items()
        }
    return changed
