"""Every address of the product and who may open it, from the resolver itself, so that nothing can be forgotten."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Route:
    """One address: `pattern` as written, `name` with its namespaces."""

    pattern: str
    name: str
    view: Any

    @property
    def access(self) -> str | None:
        """What the page's decorator said: an action, "signed-in", "half-signed-in" or "public"."""
        found: str | None = getattr(self.view, "access", None)
        return found

    @property
    def endpoint(self) -> Any:
        """The class of an API operation, else None."""
        return getattr(self.view, "cls", None)

    @property
    def operations(self) -> list[str]:
        return [method for method in METHODS if hasattr(self.endpoint, method.lower())]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """What stands in the checked-in table: address and who may, one for each operation of the API."""
        if self.endpoint is None:
            return [(self.pattern, self.access or "nobody said")]
        scopes = self.endpoint.scopes
        return [(f"{m} {self.pattern}", scopes[m].value if m in scopes else "nobody said") for m in self.operations]

    def __str__(self) -> str:
        return self.pattern


def every_route() -> list[Route]:
    return list(_walk(get_resolver().url_patterns, "/", ""))


def _walk(patterns: list[Any], prefix: str, space: str) -> Iterator[Route]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _walk(entry.url_patterns, prefix + str(entry.pattern), inner)
        elif isinstance(entry, URLPattern):
            yield Route(prefix + str(entry.pattern), space + (entry.name or ""), entry.callback)


def filled(pattern: str, values: dict[str, str]) -> str:
    """The address with made-up arguments: by converter, such as {"uuid": …}."""
    return re.sub(r"<(?:(\w+):)?\w+>", lambda match: values.get(match[1] or "str", "x"), pattern)
