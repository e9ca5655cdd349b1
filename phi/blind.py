"""Blind index: HMAC-SHA-256 with one key per field, only for unique high-entropy identifiers (IDX-01)."""

import contextlib
import hashlib
import hmac
from unicodedata import normalize

from phi.keyring import keyring

#: The only fields that may have one.
FIELDS = frozenset({"email", "external_id", "suppression"})


def normalise_email(address: str) -> str:
    """The form an address is compared in: trimmed, composed (NFC), lower case, domain in ASCII."""
    local, _, domain = normalize("NFC", address.strip()).rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}".lower()


def index(field: str, value: str) -> bytes:
    """32 bytes that equal values share; says nothing without the key."""
    if field not in FIELDS:
        raise ValueError(f"{field} may not be indexed")
    value = normalize("NFC", value.strip()) if field == "external_id" else normalise_email(value)
    return hmac.new(keyring().secret(f"index:{field}"), value.encode(errors="surrogatepass"), hashlib.sha256).digest()
