"""What this room refuses, in words a person can act on."""

from core.errors import DomainError


class NotPossibleNow(DomainError):
    """The journey's state does not permit this."""


class NotComplete(DomainError):
    """Something the journey needs is missing; the text names it."""


class SelfApproval(DomainError):
    """Whoever drew or proposed a version cannot approve it (SND-08)."""


class ChangedMeanwhile(DomainError):
    """Somebody else saved the draft meanwhile."""


class BadDefinition(DomainError):
    """A definition that cannot be read, or a published one that breaks a rule; `problems` names the steps."""

    status = 400

    def __init__(self, text: str, problems: "list[object] | None" = None) -> None:
        super().__init__(text)
        self.problems = problems or []


class UnknownEvent(DomainError):
    """No event type of that name was declared."""

    status = 400
