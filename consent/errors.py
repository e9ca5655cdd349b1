"""What consent refuses, in words a person can act on."""

from core.errors import DomainError


class UnknownTopic(DomainError):
    """The topic is not there, or was removed."""

    status = 404


class TopicNameTaken(DomainError):
    """Two live topics would look the same to people."""


class EvidenceMissing(DomainError):
    """A yes without evidence is no yes."""

    status = 400


class NothingToConfirm(DomainError):
    """A confirmation link whose request was not made, was answered, or was overtaken by an opt-out."""


class UnknownContact(DomainError):
    """There is no such contact, or it was deleted."""

    status = 404


class AuthorizationIncomplete(DomainError):
    """A document that lacks what 45 CFR 164.508(c) asks for."""

    status = 400


class UnknownAuthorization(DomainError):
    status = 404


class NotSuppressed(DomainError):
    """There is nothing to release."""


class OptedOutByPerson(DomainError):
    """Only the person can take back their own opt-out."""


class BadAddress(DomainError):
    status = 400


class InvalidDate(DomainError):
    status = 400
