"""What accounts refuses, in words a person can act on."""

from core.errors import DomainError


class AlreadyStaff(DomainError):
    """Somebody with this address exists."""


class NotYourself(DomainError):
    """Nobody grants, takes back or approves for themselves."""


class LastAdministrator(DomainError):
    """The last active administrator stays one."""


class LinkNotValid(DomainError):
    """Unknown, used, or too old; deliberately not said which."""


class NotOnThisRun(DomainError):
    """Sign-in links exist on a local run only."""


class LastFactor(DomainError):
    """Nobody is left without a second factor, not even by their own hand (IDN-04)."""


class WrongPassword(DomainError):
    """The current password was not given."""


class WrongCode(DomainError):
    """A code did not fit, was used before, or came too soon after a wrong one."""


class NotActive(DomainError):
    """The person is disabled."""


class ResetOpen(DomainError):
    """There is an open factor reset already."""


class ResetNotReady(DomainError):
    """Not approved by a second person yet, or its waiting period runs."""


class ScopeTooWide(DomainError):
    """A token may not do more than its owner may."""
