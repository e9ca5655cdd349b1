from core.errors import DomainError


class KeyUnavailable(DomainError):
    """No key, no PHI: the provider did not answer or does not know the key."""

    status = 503


class SealBroken(DomainError):
    """A ciphertext did not open: altered, moved from another row, or sealed under a destroyed key."""

    status = 500


class KeyInUse(DomainError):
    """A key-encryption key cannot be destroyed yet."""
