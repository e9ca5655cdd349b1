"""Who did it: one human, one named service, or the patient (SEC-12)."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Actor:
    """What the trail keeps of whoever acted: ids and enum values, never a name or an address."""

    kind: str  # "staff", "token", "patient", "system"
    id: str = ""
    roles: tuple[str, ...] = ()
    #: Network of the request, truncated to /24 or /48; empty outside requests.
    source: str = ""


@runtime_checkable
class Acting(Protocol):
    """Anything that can stand behind `by=`: a User, an ApiToken, an Actor holder."""

    def as_actor(self) -> Actor: ...


SYSTEM = Actor("system")
PATIENT = Actor("patient")

#: The type of every command's `by=`.
By = Actor | Acting


def actor_of(by: By) -> Actor:
    return by if isinstance(by, Actor) else by.as_actor()
