"""Refusals of this room."""

from core.errors import DomainError


class BadValue(DomainError):
    """A value does not fit its attribute. The text never repeats the value."""

    status = 400


class UnknownAttribute(DomainError):
    status = 400


class NeedsIdentity(DomainError):
    """Neither an external id nor an address: nobody could ever find this person again."""

    status = 400


class ExternalIdTaken(DomainError):
    pass


class ChangedMeanwhile(DomainError):
    """Somebody else's change came in between."""


class NotAllowed(DomainError):
    """The attribute cannot be changed that way."""


class NeedsReason(DomainError):
    status = 400


class NotTheSecondPerson(DomainError):
    """Whoever asked for something to count as less sensitive cannot be who approves it (SND-08)."""


class WrongState(DomainError):
    """The import is not at the point where this can be done."""


class BadFile(DomainError):
    """The uploaded file cannot be read; says what to do."""

    status = 400


class BadMapping(DomainError):
    status = 400


class LeaseLost(DomainError):
    """Another worker has taken this import over."""
