"""What the OpenAPI document says of every operation beyond its own fields: scope, errors, idempotency."""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

#: Refusals every operation can give, in the one error shape.
REFUSALS = {
    "400": "The body or a parameter is not valid; `fields` says where.",
    "401": "No token, or one that is unknown, expired or revoked.",
    "403": "The token lacks the scope.",
    "404": "There is no such object.",
    "409": "The state of things does not allow it now; `code` says why.",
    "429": "Too many requests; wait as long as Retry-After says.",
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "fields": {}},
        }
    },
}


class Schema(AutoSchema):
    """Adds to each operation what holds for all of them."""

    def get_operation_id(self) -> str:
        """Method and address, so that it is unique and stays: `post_segments_by_segment_id_count`."""
        parts = re.sub(r"\{(\w+)\}", r"by_\1", self.path.removeprefix("/api/v1/"))
        return re.sub(r"\W+", "_", f"{self.method}_{parts}").strip("_").lower()

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0].replace("-", " ").capitalize()]

    def get_description(self) -> str:  # type: ignore[override]
        text = super().get_description() or ""
        scope = getattr(self.view, "scopes", {}).get(self.method)
        return f"{text}\n\nScope: `{scope.value}`".strip() if scope else text

    def get_override_parameters(self) -> list[Any]:
        if self.method != "POST":
            return []
        text = "Any text of yours, up to 255 characters. A repeat within 24 hours gets the first answer again."
        return [OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description=text)]

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        self.registry.register_on_missing(
            ResolvedComponent("Error", ResolvedComponent.SCHEMA, object="Error", schema=ERROR)  # type: ignore[no-untyped-call]
        )
        for status, text in REFUSALS.items():
            content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
            operation["responses"].setdefault(status, {"description": text, "content": content})
        scope = getattr(self.view, "scopes", {}).get(self.method)
        if scope:
            operation["x-scope"] = scope.value
        return operation
