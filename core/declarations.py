"""What a table holds, said beside the table (SEC-01); `manage.py datamap` prints it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Declaration:
    """Every concrete field of a model stands in exactly one of these.

    `sealed`: ciphertext under a contact's own key · `encrypted`: ciphertext under the deployment's key ·
    `wrapped`: key material wrapped by the key-encryption key · `blind`: keyed hash of a unique value ·
    `staff`: identity of the workforce, not PHI · `safe`: neither identity nor health; ("*",) means all the rest.
    """

    sealed: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()
    wrapped: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    safe: tuple[str, ...] = ()
