"""Sign what is said, so that the other system knows that it was us and that it is not old (Standard Webhooks 1.0)."""

import base64
import hashlib
import hmac
import os

#: What a secret begins with, so that people and scanners recognise it.
PREFIX = "whsec_"


def new_secret() -> str:
    return PREFIX + base64.b64encode(os.urandom(32)).decode()


def signature(secret: str, call_id: str, timestamp: int, body: bytes) -> str:
    """ "v1," and the base64 of the HMAC-SHA-256 of "<id>.<seconds since 1970>.<body>", under the secret's bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    said = f"{call_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()


def headers(secret: str, call_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    return {
        "webhook-id": call_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, call_id, timestamp, body),
    }
