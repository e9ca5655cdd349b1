"""A definition as JSON Schema (draft 2020-12), made from the types themselves. What depends on this deployment (which
templates and attributes there are) cannot stand here; workflows.language.checks says it."""

import inspect
from functools import cache
from typing import Any

import msgspec

from segments.schema import json_schema as rule_schema
from workflows.language import definition
from workflows.language.definition import MAX_STEPS, Definition
from workflows.language.parsing import MAX_NAME, MAX_TEXT

_RULE = {"anyOf": [{"$ref": "#/$defs/Rule"}, {"type": "null"}], "description": "A rule of the segment language."}
_STEP_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}
_TIME = {"type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9])?$", "description": "A time of day: 10:00."}


@cache
def json_schema() -> dict[str, Any]:
    """The published schema; not to be changed by who gets it."""
    made = msgspec.json.schema(Definition)
    parts: dict[str, Any] = made["$defs"]
    for name, part in parts.items():
        if "description" in part:
            part["description"] = inspect.cleandoc(part["description"])
        _fill(part["properties"], name)
    rule = rule_schema()
    whole = parts.pop("Definition")
    whole["properties"]["steps"] |= {"maxProperties": MAX_STEPS, "propertyNames": _STEP_ID}
    return {
        "$schema": rule.pop("$schema"),
        "title": "Carillon journey",
        **{key: value for key, value in whole.items() if key != "title"},
        "$defs": parts | rule.pop("$defs") | {"Rule": rule},
    }


def _fill(properties: dict[str, Any], name: str) -> None:
    """What the types leave open: rules, ids of steps, times, and how long texts may be."""
    for key in ("rule", "only"):
        if key in properties:
            properties[key] = _RULE
    if "exits" in properties and issubclass(getattr(definition, name), definition.Step):
        to = {"anyOf": [_STEP_ID, {"type": "null"}]}
        properties["exits"] |= {"additionalProperties": to, "description": "Which step follows by which way out."}
    if "at" in properties:
        properties["at"] |= _TIME
    if "start" in properties:
        properties["start"] = {"anyOf": [_STEP_ID, {"type": "null"}], "default": None}
    if "name" in properties:
        properties["name"] |= {"maxLength": MAX_NAME}
    if "text" in properties:
        properties["text"] |= {"maxLength": MAX_TEXT}
