"""What counts as an email address: one mailbox, RFC 5321 lengths, nothing that could break out of a header."""

import re

from contacts.errors import BadValue

#: RFC 5322 dot-atom; quoted local parts are legal and never real, so they are refused.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_SIMPLE = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z")


def clean(text: str) -> str:
    """The address with its domain in lower-case ASCII. Raises BadValue with a text that says what is wrong."""
    address = text.strip(" \t")
    if len(address) <= 64 and _SIMPLE.match(address):
        return address
    if any(ord(c) < 32 or ord(c) == 127 for c in address):
        raise BadValue("The email address holds a line break or another control character.")
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise BadValue("The email address needs the form name@domain.")
    if not local.isascii():
        raise BadValue("The part of the email address before the @ may hold ASCII characters only.")
    if not _LOCAL.match(local):
        raise BadValue("The part of the email address before the @ is not valid.")
    try:
        ascii_domain = domain.encode("idna").decode().lower()
    except UnicodeError:
        raise BadValue("The domain of the email address is not valid.") from None
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(map(_LABEL.match, labels)) or labels[-1].isdigit():
        raise BadValue("The domain of the email address is not valid.")
    if len(local) > 64 or len(ascii_domain) > 253 or len(local) + 1 + len(ascii_domain) > 254:
        raise BadValue("The email address is longer than mail servers accept (254 characters).")
    return f"{local}@{ascii_domain}"
