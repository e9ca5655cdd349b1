"""Blind index: HMAC-SHA-256 with one key per field, only for unique high-entropy identifiers (IDX-01)."""

import contextlib
import hashlib
import hmac
from collections.abc import Iterable
from unicodedata import normalize

from phi.keyring import keyring

#: The only fields that may have one.
FIELDS = frozenset({"email", "external_id", "suppression"})


def normalise_email(address: str) -> str:
    """The form an address is compared in: trimmed, composed (NFC), lower case, domain in ASCII."""
    if address.isascii():  # nearly every one, and composed and in ASCII already
        address = address.strip()
        return address.lower() if "@" in address else f"@{address}".lower()
    local, _, domain = normalize("NFC", address.strip()).rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}".lower()


def index(field: str, value: str) -> bytes:
    """32 bytes that equal values share; says nothing without the key."""
    return indexes(field, [value])[0]


def indexes(field: str, values: Iterable[str]) -> list[bytes]:
    """The index of each value, in order; the key is set up once for all of them."""
    if field not in FIELDS:
        raise ValueError(f"{field} may not be indexed")
    keyed = hmac.new(keyring().secret(f"index:{field}"), digestmod=hashlib.sha256)
    found = []
    for value in values:
        form = normalize("NFC", value.strip()) if field == "external_id" else normalise_email(value)
        own = keyed.copy()
        own.update(form.encode(errors="surrogatepass"))
        found.append(own.digest())
    return found
