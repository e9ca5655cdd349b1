"""Every address of the product, from the resolver itself, so that nothing can be forgotten."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

DUMMIES = {
    "uuid": "01890000-0000-7000-8000-000000000000",
    "int": "1",
    "str": "x",
    "slug": "x",
    "path": "x",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Route:
    path: str
    name: str
    view: Any

    @property
    def access(self) -> str | None:
        return getattr(self.view, "access", None)

    @property
    def endpoint(self) -> Any:
        """The class of an API operation, else None."""
        return getattr(self.view, "cls", None)

    @property
    def operations(self) -> list[str]:
        return [method for method in METHODS if hasattr(self.endpoint, method.lower())]

    def __str__(self) -> str:
        return self.path


def every_route() -> list[Route]:
    return list(_walk(get_resolver().url_patterns, "/", ""))


def _walk(patterns: list[Any], prefix: str, space: str) -> Iterator[Route]:
    for entry in patterns:
        path = prefix + re.sub(r"<(?:(\w+):)?\w+>", _dummy, str(entry.pattern))
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _walk(entry.url_patterns, path, inner)
        elif isinstance(entry, URLPattern):
            yield Route(path, space + (entry.name or ""), entry.callback)


def _dummy(match: "re.Match[str]") -> str:
    return DUMMIES.get(match[1] or "str", "x")


PAGES = [route for route in every_route() if route.endpoint is None]
OPERATIONS = [route for route in every_route() if route.endpoint is not None]
