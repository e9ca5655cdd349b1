"""What this room refuses, in words a person can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import DomainError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a step ("": with the journey). `field`: with what of it ("timeout", "exits.next",
    "trigger.event"). An error keeps the journey from being published, a warning does not."""

    step: str
    field: str
    text: str
    level: Literal["error", "warning"] = "error"


class NotPossibleNow(DomainError):
    """The journey's state does not permit this."""


class NotComplete(DomainError):
    """Something the journey needs is missing; the text names it."""


class SelfApproval(DomainError):
    """Whoever drew or proposed a version cannot approve it (SND-08)."""


class ApprovalOutdated(DomainError):
    """What stands now is not what was proposed."""


class ChangedMeanwhile(DomainError):
    """Somebody else saved the draft meanwhile."""


class BadDefinition(DomainError):
    """A definition that cannot be read, or a published one that breaks a rule; `problems` names the steps."""

    status = 400

    def __init__(self, text: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(text)
        self.problems = list(problems)

    @property
    def fields(self) -> dict[str, list[dict[str, str]]]:
        """What the API says of each step."""
        said = [{"step": p.step, "field": p.field, "text": p.text, "level": p.level} for p in self.problems[:100]]
        return {"definition": said}


class UnknownEvent(DomainError):
    """No event type of that name was declared."""

    status = 400


class ChosenByMore(DomainError):
    """A segment says more of people than the journey says that lets them in."""


class ForetoldJustNow(DomainError):
    """What a move would do was worked out a moment ago."""


class BadAddress(DomainError):
    """A webhook may not go there (IDN-18)."""

    status = 400


class EndpointInUse(DomainError):
    """A journey that runs tells this endpoint."""


class EventInUse(DomainError):
    """A journey that runs listens to this event."""


class EventTaken(DomainError):
    """An event of that name was declared before."""
