"""A database and its keys belong together. With the wrong keys nothing opens, and worse: no suppressed address would be
recognised. So every process compares fingerprints when it connects, and a missing key file is never quietly replaced.
"""

from pathlib import Path
from typing import Any

from django.db import connection as default
from django.db.backends.base.base import BaseDatabaseWrapper

from phi.errors import KeyUnavailable

MISSING = (
    "The key file {} is missing but the database holds data sealed under it; restore the file from its own backup."
)
UNSURE = "The key file {} is missing and the database cannot say whether it is needed; start the database first."
FOREIGN = "These keys are not the ones this database was sealed under; restore the right key file."


def _known(connection: BaseDatabaseWrapper) -> tuple[bool, bytes | None]:
    """Whether the table stands yet, and the fingerprint in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('phi_keyring') IS NOT NULL")
        if not cursor.fetchone()[0]:
            return False, None
        cursor.execute("SELECT fingerprint FROM phi_keyring WHERE id = 1")
        row = cursor.fetchone()
        return True, bytes(row[0]) if row else None


def refuse_new_keys_beside_old_data(path: Path) -> None:
    """Raise KeyUnavailable if there is, or might be, anything that only the missing keys open."""
    try:
        _, known = _known(default)
    except Exception:  # unreachable, not allowed, misconfigured: each means that we do not know
        raise KeyUnavailable(UNSURE.format(path)) from None
    if known is not None:
        raise KeyUnavailable(MISSING.format(path))


def check(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """On every new connection: the database's fingerprint is that of our keys, or becomes so if it has none."""
    from phi.keyring import keyring  # noqa: PLC0415  (providers import this module)

    migrated, known = _known(connection)
    if migrated and known is None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO phi_keyring (id, fingerprint, known_since) VALUES (1, %s, now()) ON CONFLICT DO NOTHING",
                [keyring().fingerprint()],
            )
        _, known = _known(connection)
    if migrated and known != keyring().fingerprint():
        raise KeyUnavailable(FOREIGN)
