"""What may not be a password, beside its length: no rules of composition, only what attackers try first (IDN-01)."""

import hashlib
import re
from itertools import pairwise
from pathlib import Path

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

#: Rows of a keyboard and the obvious orders; a password that is mostly a walk along one of them is a guess.
WALKS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
OWN_WORDS = frozenset({"carillon", "clinic", "password", "passwort", "welcome", "letmein", "administrator"})
REFUSED = "This password is easy to guess: it repeats, walks along the keyboard, or is what attackers try first."


class Guessable:
    """Refuses few distinct characters, keyboard walks, and common passwords that were only lengthened or decorated."""

    def __init__(self) -> None:
        self.known = OWN_WORDS | CommonPasswordValidator().passwords

    def validate(self, password: str, user: object = None) -> None:
        folded = password.casefold()
        letters = re.sub(r"[\W\d_]+", "", folded)
        if len(set(folded)) < 6 or _walks(folded) or self._repeats(folded) or self._repeats(letters):
            raise ValidationError(REFUSED, code="guessable")

    def _repeats(self, text: str) -> bool:
        """Whether this is a known password, once or several times over."""
        sizes = [size for size in range(1, len(text) + 1) if len(text) % size == 0]
        return any(text[:size] in self.known and text[:size] * (len(text) // size) == text for size in sizes)

    def get_help_text(self) -> str:
        return "Your password cannot be one that is easy to guess."


class Breached:
    """Refuses what is in the file of breached passwords, if the deployment has one (Have I Been Pwned offers it).

    The file is searched by halves, so it may be of any size; nothing leaves the house.
    """

    def validate(self, password: str, user: object = None) -> None:
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        if settings.BREACHED_PASSWORDS and _is_listed(Path(settings.BREACHED_PASSWORDS), digest):
            raise ValidationError("This password became known in a breach elsewhere. Choose another.", code="breached")

    def get_help_text(self) -> str:
        return "Your password cannot be one that became known in a breach."


def _is_listed(path: Path, digest: bytes) -> bool:
    """Whether a sorted file has a line that starts with `digest` (40 hexadecimal capitals)."""
    with path.open("rb") as file:
        low, high = 0, file.seek(0, 2)
        while low < high:
            middle = (low + high) // 2
            file.seek(max(middle - 1, 0))
            if middle:
                file.readline()  # the rest of the line before
            line = file.readline()
            if not line or line[:40].upper() >= digest:
                high = middle
            else:
                low = file.tell()
        file.seek(max(low - 1, 0))
        if low:
            file.readline()
        return file.readline()[:40].upper() == digest


def _walks(text: str) -> bool:
    """Whether at least two thirds of the neighbouring pairs follow one of the walks, either way."""
    pairs = [a + b for a, b in pairwise(text)]
    steps = sum(any(pair in walk or pair[::-1] in walk for walk in WALKS) for pair in pairs)
    return 3 * steps >= 2 * len(pairs)
