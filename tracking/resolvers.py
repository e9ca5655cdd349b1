"""How this room learns of a message without knowing who sends them.

The room that keeps deliveries registers one function in its AppConfig.ready:

    tracking.resolvers.register(resolve)   # resolve(delivery_id: UUID) -> Resolved | None

It is called once per pixel or click, outside any transaction, and must answer from one query (or a cache). `None`
means: no such message was sent; the link answers 404. `links` come from the template version, fixed at approval.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a token's message was. `tier` is a core.sensitivity.Sensitivity value."""

    origin_id: UUID
    contact_id: UUID
    links: list[str]
    sent_at: datetime
    track_opens: bool
    track_clicks: bool
    tier: str


Resolver = Callable[[UUID], Resolved | None]
_resolvers: list[Resolver] = []


def register(resolver: Resolver) -> None:
    """Ask this function from now on. Registering it twice changes nothing."""
    if resolver not in _resolvers:
        _resolvers.append(resolver)


def resolve(delivery_id: UUID) -> Resolved | None:
    """The message behind a delivery id, from whoever knows it."""
    for resolver in _resolvers:
        found = resolver(delivery_id)
        if found is not None:
            return found
    return None
