from core.errors import DomainError


class NotPossibleNow(DomainError):
    """The campaign's state does not permit this."""


class NotComplete(DomainError):
    """Something a campaign needs is missing; the text names it."""


class SelfApproval(DomainError):
    """Whoever wrote or submitted a campaign cannot approve it (SND-08)."""


class ApprovalOutdated(DomainError):
    """What stands now is not what was approved."""


class BadTime(DomainError):
    """The send time cannot be used."""
