from core.errors import DomainError


class TrailBroken(DomainError):
    """The stored trail is not the one last signed; nothing more is signed until somebody has looked."""

    status = 500
