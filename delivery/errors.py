"""What delivery refuses, in words a person can act on."""

from core.errors import DomainError


class NoSuchOrigin(DomainError):
    """Nothing of this id was ever handed to delivery."""

    status = 404


class OriginCancelled(DomainError):
    """A cancelled sending does not start again."""


class OriginDiffers(DomainError):
    """The same origin was opened before with other content or another sender."""


class RelayInUse(DomainError):
    """The only relay of a stream that still has mail to send."""


class RelayNotReached(DomainError):
    """A relay did not prove what it must; the text says what."""


class DomainInUse(DomainError):
    """A sender uses the domain."""


class SenderRefused(DomainError):
    """A sender's address must belong to its domain."""


class NotReproducible(DomainError):
    """The message cannot be made again: the contact or its key is gone."""

    status = 410


class TrialRefused(DomainError):
    """A test mail did not leave; the text says why."""
