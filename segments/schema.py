"""The rule language as JSON Schema (draft 2020-12). What depends on this deployment (which attributes there are,
their kinds and choices) cannot stand here; segments.rules.parse checks it."""

from typing import Any

from segments import operators
from segments.operators import Takes
from segments.tree import MAX_CLAUSES, MAX_DAYS, MAX_TEXT, MAX_VALUES, VERSION
from segments.values import MAX_AGE


def _object(properties: dict[str, Any], required: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }


def _span(of: dict[str, Any]) -> dict[str, Any]:
    return _object({"from": of, "to": of})


_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "pattern": r"\S"}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MAX_VALUES}
_COUNT = {"type": "integer", "minimum": 0, "maximum": MAX_DAYS}
_DAY = {"$ref": "#/$defs/day"}
_FORMS: dict[Takes, dict[str, Any]] = {
    Takes.TEXT: _TEXT,
    Takes.TEXTS: _TEXTS,
    Takes.NUMBER: {"type": "number"},
    Takes.NUMBERS: _span({"type": "number"}),
    Takes.DAY: _DAY,
    Takes.DAYS: _span(_DAY),
    Takes.COUNT: _COUNT,
    Takes.AGES: _span({"type": "integer", "minimum": 0, "maximum": MAX_AGE}),
    Takes.YES_NO: {"type": "boolean"},
    Takes.CHOICE: _TEXT,
    Takes.CHOICES: _TEXTS,
    Takes.CODES: {**_TEXTS, "description": "Codes; a whole family ends with an asterisk (E11.*)."},
}
_KEY = {"type": "string", "minLength": 1, "maxLength": 60}
_ID = {"type": "string", "format": "uuid"}


def _when() -> dict[str, Any]:
    plain = [name for name, (_, takes) in operators.WHENS.items() if takes is Takes.NOTHING]
    timed = [_object({name: _FORMS[takes]}) for name, (_, takes) in operators.WHENS.items() if name not in plain]
    return {"anyOf": [{"enum": plain}, *timed], "default": "ever"}


def _conditions() -> list[dict[str, Any]]:
    """One form for each thing an operator takes; several operators share it."""
    names: dict[Takes, list[str]] = {}
    for family in operators.BY_KIND.values():
        for op in family:
            known = names.setdefault(op.takes, [])
            if op.name not in known:
                known.append(op.name)
    forms = []
    for takes, ops in names.items():
        properties: dict[str, Any] = {"attribute": _KEY, "op": {"enum": ops}}
        if takes is not Takes.NOTHING:
            properties["value"] = _FORMS[takes]
        required = tuple(properties)
        if takes is Takes.CODES:
            properties["when"] = {"$ref": "#/$defs/when"}
        forms.append(_object(properties, required))
    return forms


def _topic() -> dict[str, Any]:
    return _object({"topic": _ID, "op": {"enum": list(operators.TOPIC_STATES)}})


def _event() -> dict[str, Any]:
    return _object(
        {
            "event": {"enum": list(operators.EVENTS)},
            "op": {"enum": ["did", "did_not"], "default": "did"},
            "mailing": {"anyOf": [_ID, {"type": "null"}], "description": "A campaign; null: any."},
            "days": {"anyOf": [_COUNT, {"type": "null"}], "description": "Within so many days; null: ever."},
        },
        ("event",),
    )


def json_schema() -> dict[str, Any]:
    """The published schema."""
    clause = {"$ref": "#/$defs/clause"}
    group = {"type": "array", "items": clause, "minItems": 1, "maxItems": MAX_CLAUSES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Carillon segment rule",
        "description": (
            "Who is in the audience. A condition on a missing value is false; `is_empty` asks for missing values; "
            "`none` holds where no clause in it does. A coded list, a topic and a mailing are never missing."
        ),
        **_object({"version": {"const": VERSION}, "root": {"$ref": "#/$defs/group"}}),
        "$defs": {
            "group": {"oneOf": [_object({match: group}) for match in ("all", "any", "none")]},
            "clause": {"anyOf": [{"$ref": "#/$defs/group"}, {"$ref": "#/$defs/condition"}]},
            "condition": {"anyOf": [*_conditions(), _topic(), _event()]},
            "day": {
                "anyOf": [
                    {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
                    {
                        **_object({"days": {"type": "integer", "minimum": -MAX_DAYS, "maximum": MAX_DAYS}}),
                        "description": "Counted from today, in the organization's time zone.",
                    },
                ]
            },
            "when": _when(),
        },
    }
