"""The API's document, for machines and for people, served by us alone (Swagger UI needs inline styles)."""

import re
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator

from accounts.requests import public, signed_in

METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3 document; the code does not change under a running process."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


@public
def schema(request: HttpRequest) -> HttpResponse:
    return JsonResponse(document(), json_dumps_params={"indent": 1})


@signed_in
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/api_docs.html", {"groups": groups(document())})


def groups(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Operations by tag, each with what a reader needs beside it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method in METHODS:
            if operation := methods.get(method):
                found.setdefault(operation["tags"][0], []).append(_operation(spec, path, method, operation))
    return [{"name": name, "operations": rows} for name, rows in sorted(found.items())]


def _operation(spec: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    text = re.sub(r"\n*Scope: `.*`$", "", operation.get("description", "")).strip()
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = [
        {"status": status, "text": answer.get("description", ""), "fields": _fields(spec, _schema_of(answer))}
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "text": text,
        "scope": operation.get("x-scope", ""),
        "parameters": operation.get("parameters", []),
        "fields": _fields(spec, body),
        "answers": answers,
    }


def _schema_of(answer: dict[str, Any]) -> dict[str, Any] | None:
    content: dict[str, Any] = answer.get("content", {})
    found: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return found


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or ("allOf" in schema and len(schema["allOf"]) == 1):
        if "allOf" in schema:
            schema = schema["allOf"][0]
            continue
        found = spec
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _fields(spec: dict[str, Any], schema: dict[str, Any] | None, prefix: str = "", depth: int = 0) -> list[Any]:
    """Flat rows of a schema's fields, nested ones as `a.b` and `a[].b`, to a depth that can be read."""
    if not schema or depth > 3:
        return []
    schema = _resolved(spec, schema)
    if schema.get("type") == "array":
        return _fields(spec, schema.get("items"), f"{prefix}[]" if prefix else "[]", depth + 1)
    rows = []
    for name, field in schema.get("properties", {}).items():
        real = _resolved(spec, field)
        label = f"{prefix}.{name}" if prefix else name
        kind = real.get("format") or real.get("type") or ("one of" if "enum" in real else "any")
        rows.append(
            {
                "name": label,
                "kind": kind,
                "required": name in schema.get("required", []),
                "values": [str(value) for value in real.get("enum", [])],
                "text": field.get("description") or real.get("description", ""),
            }
        )
        rows += _fields(spec, real, label, depth + 1) if real.get("type") in ("array", "object") else []
    return rows
