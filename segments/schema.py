"""The rule language as JSON Schema (draft 2020-12). What depends on this deployment (which attributes there are,
their kinds and choices) cannot stand here; segments.rules.parse checks it."""

from typing import Any

from segments import operators
from segments.operators import Takes
from segments.sampling import MAX_SEED
from segments.tree import MAX_CLAUSES, MAX_PASTED, MAX_TEXT, MAX_TIMES, MAX_VALUES, UNITS, VERSION
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
_SPAN = {"$ref": "#/$defs/span"}
_AGE = {"type": "integer", "minimum": 0, "maximum": MAX_AGE}
_DAY = {"$ref": "#/$defs/day"}
_FORMS: dict[Takes, dict[str, Any]] = {
    Takes.TEXT: _TEXT,
    Takes.TEXTS: {**_TEXTS, "maxItems": MAX_PASTED},
    Takes.NUMBER: {"type": "number"},
    Takes.NUMBERS: _span({"type": "number"}),
    Takes.DAY: _DAY,
    Takes.DAYS: _span(_DAY),
    Takes.COUNT: _SPAN,
    Takes.AGES: _span(_AGE),
    Takes.AGE: _AGE,
    Takes.WEEKDAYS: {"type": "array", "items": {"enum": list(operators.WEEKDAYS)}, "minItems": 1},
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


def _parts(name: str) -> dict[str, Any]:
    """What may stand in a condition without having to."""
    parts: dict[str, dict[str, Any]] = {
        "zone": {"enum": list(operators.ZONES), "default": "organization"},
        "on": {"anyOf": [_DAY, {"type": "null"}], "description": "The day of that age; null: today."},
        "when": {"$ref": "#/$defs/when"},
        "times": {"anyOf": [{"$ref": "#/$defs/times"}, {"type": "null"}]},
    }
    return parts[name]


def _conditions() -> list[dict[str, Any]]:
    """One form for each thing an operator takes and what may stand beside it; several operators share it."""
    names: dict[tuple[Takes, frozenset[str]], list[str]] = {}
    for kind, family in operators.BY_KIND.items():
        for op in family:
            known = names.setdefault((op.takes, operators.parts(kind, op)), [])
            if op.name not in known:
                known.append(op.name)
    forms = []
    for (takes, parts), ops in names.items():
        properties: dict[str, Any] = {"attribute": _KEY, "op": {"enum": ops}}
        if takes is not Takes.NOTHING:
            properties["value"] = _FORMS[takes]
        required = tuple(properties)
        properties |= {name: _parts(name) for name in sorted(parts - {"value"})}
        forms.append(_object(properties, required))
    return forms


def _topic() -> dict[str, Any]:
    return _object({"topic": _ID, "op": {"enum": list(operators.TOPIC_STATES)}})


def _event() -> list[dict[str, Any]]:
    """Of one mailing, of the latest, or of any; the link of one that was clicked; how often somebody who did."""

    def form(op: dict[str, Any], **more: Any) -> dict[str, Any]:
        events = {"event": {"enum": list(operators.EVENTS)}, "op": op, "when": {"$ref": "#/$defs/window"}, **more}
        return _object(events, ("event", *(("op",) if op == {"const": "did_not"} else ())))

    null = {"type": "null"}
    times = _parts("times")
    of_any = {
        "mailing": {"enum": [None, "last"], "description": "Null: any; or the latest."},
        "of_topic": {"anyOf": [_ID, null], "description": "Of campaigns on this topic."},
    }
    of_one = {"mailing": {**_ID, "description": "A campaign."}, "of_topic": null}
    link = {"type": "integer", "minimum": 0, "description": "The place of a link in the mailing, from 0 on."}
    forms = []
    for of in (of_any, of_one):
        forms += [
            form({"const": "did", "default": "did"}, **of, times=times, link=null),
            form({"const": "did_not"}, **of, times=null, link=null),
        ]
    for form_ in [
        form({"const": "did", "default": "did"}, **of_one, times=times, link=link),
        form({"const": "did_not"}, **of_one, times=null, link=link),
    ]:
        form_["properties"]["event"] = {"const": "clicked"}
        form_["required"] += ["mailing", "link"]
        forms.append(form_)
    return forms


def _sample() -> dict[str, Any]:
    percent = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}
    seed = {"type": "integer", "minimum": 0, "maximum": MAX_SEED, "default": 0}
    return _object({"sample": _object({"percent": percent, "seed": seed}, ("percent",))})


def _segment() -> dict[str, Any]:
    return _object({"segment": _ID, "op": {"enum": list(operators.SEGMENT)}})


def _lengths(*, relative: bool) -> list[dict[str, Any]]:
    """A number of days, weeks, months or years; before today if it is negative (`relative`)."""
    return [
        _object({unit: {"type": "integer", "minimum": -most if relative else 0, "maximum": most}})
        for unit, most in UNITS.items()
    ]


def _windows() -> list[dict[str, Any]]:
    return [_object({name: _FORMS[takes]}) for name, (_, takes) in operators.WINDOWS.items()]


def json_schema() -> dict[str, Any]:
    """The published schema."""
    clause = {"$ref": "#/$defs/clause"}
    group = {"type": "array", "items": clause, "minItems": 1, "maxItems": MAX_CLAUSES}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Carillon segment rule",
        "description": (
            "Who is in the audience. A condition on a missing value is false; `is_empty` asks for missing values; "
            "`none` holds where no condition in it does. A coded list, a topic and a mailing are never missing."
        ),
        **_object({"version": {"const": VERSION}, "root": {"$ref": "#/$defs/group"}}),
        "$defs": {
            "group": {"oneOf": [_object({match: group}) for match in ("all", "any", "none")]},
            "clause": {"anyOf": [{"$ref": "#/$defs/group"}, {"$ref": "#/$defs/condition"}]},
            "condition": {"anyOf": [*_conditions(), _topic(), *_event(), _sample(), _segment()]},
            "span": {"anyOf": _lengths(relative=False)},
            "day": {
                "anyOf": [
                    {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
                    *(
                        {**form, "description": "Counted from today; negative before it."}
                        for form in _lengths(relative=True)
                    ),
                ]
            },
            "times": {
                "anyOf": [
                    _object({name: {"type": "integer", "minimum": int(name == "at_least"), "maximum": MAX_TIMES}})
                    for name in operators.TIMES
                ]
            },
            "window": {"anyOf": [*_windows(), {"type": "null"}], "description": "Null: ever."},
            "when": _when(),
        },
    }
