"""Second factors of our own, beside passkeys: authenticator app, recovery codes, and the local run's pass.

Part of accounts.models, kept apart for length. `django_otp` finds them by their base class.
"""

import hashlib
import secrets
import time
from base64 import b32encode
from datetime import datetime
from urllib.parse import quote, urlencode

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django_otp.models import Device, ThrottlingMixin, TimestampMixin
from django_otp.oath import TOTP

from core import clock
from core.declarations import Declaration
from phi.fields import EncryptedTextField

STEP_SECONDS = 30
CODE_COUNT = 10
#: No I, L, O, 0, 1: codes are copied by hand. 16 of 31 letters are 79 bits.
CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


def new_secret() -> str:
    """160 bits, hexadecimal (RFC 4226 section 4, R6)."""
    return secrets.token_hex(20)


class TotpDevice(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc]
    """An authenticator app (RFC 6238). Its secret is encrypted at rest; a code opens once."""

    DATA = Declaration(encrypted=("secret",), safe=("*",))

    secret = EncryptedTextField(default=new_secret)
    #: Time step of the last accepted code: only later ones are accepted.
    last_step = models.BigIntegerField(default=-1)

    kind = "totp"

    def verify_token(self, token: str) -> bool:
        if not self.verify_is_allowed()[0]:
            return False
        totp = TOTP(bytes.fromhex(self.secret), step=STEP_SECONDS, digits=6)
        totp.time = time.time()
        digits = "".join(str(token).split())
        if digits.isascii() and digits.isdigit() and totp.verify(int(digits), 1, self.last_step + 1):
            self.last_step = totp.t()
            self.throttle_reset(commit=False)
            self.set_last_used_timestamp(commit=False)
            self.save()
            return True
        self.throttle_increment(commit=True)
        return False

    def get_throttle_factor(self) -> int:
        """Seconds of waiting after the first failure; doubled by each further one."""
        return 1

    @property
    def readable_secret(self) -> str:
        """For typing where a camera cannot be used."""
        text = b32encode(bytes.fromhex(self.secret)).decode()
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))

    def address(self, account: str, issuer: str) -> str:
        """The otpauth: address that an authenticator app reads."""
        values = {"secret": self.readable_secret.replace(" ", ""), "issuer": issuer, "digits": 6, "period": 30}
        return f"otpauth://totp/{quote(f'{issuer}:{account}')}?{urlencode(values, quote_via=quote)}"


def code_hash(code: str) -> bytes:
    """Random codes of 79 bits need no slow hash."""
    return hashlib.sha256("".join(c for c in code.upper() if c.isalnum()).encode()).digest()


class RecoveryCodes(TimestampMixin, ThrottlingMixin, Device):  # type: ignore[misc]
    """Ten codes on paper, each good once; only their hashes are kept."""

    DATA = Declaration(safe=("*",))

    hashes = ArrayField(models.BinaryField(max_length=32), default=list)

    kind = "recovery"

    def renew(self) -> list[str]:
        """Replace all codes; returns the new ones, the only time they exist in the clear."""
        raw = ["".join(secrets.choice(CODE_ALPHABET) for _ in range(16)) for _ in range(CODE_COUNT)]
        self.hashes = [code_hash(code) for code in raw]
        self.throttle_reset(commit=False)
        self.save()
        return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in raw]

    def verify_token(self, token: str) -> bool:
        if not self.verify_is_allowed()[0]:
            return False
        wanted = code_hash(str(token))
        left = [bytes(known) for known in self.hashes if bytes(known) != wanted]
        if len(left) == len(self.hashes):
            self.throttle_increment(commit=True)
            return False
        self.hashes = left
        self.throttle_reset(commit=False)
        self.set_last_used_timestamp(commit=False)
        self.save()
        return True

    def get_throttle_factor(self) -> int:
        return 1


class LocalPass(Device):  # type: ignore[misc]
    """A sign-in link printed by a local run. It stands for the second factor there, and nowhere else."""

    DATA = Declaration(safe=("*",))

    token_hash = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    kind = "local"

    def usable(self, at: datetime | None = None) -> bool:
        return self.used_at is None and self.expires_at > (at or clock.now())
