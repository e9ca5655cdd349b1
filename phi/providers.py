"""Where keys live. The embedded default is one local file outside the database and its backups (KEY-02)."""

import base64
import binascii
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from core import clock
from phi import guard
from phi.errors import KeyUnavailable, SealBroken
from phi.keyring import Kek

UNREADABLE = "The key file {} cannot be read as one; restore it from its own backup before anything can be opened."
OPEN_TO_OTHERS = "The key file {} is readable by others; make it private (chmod 600) before anything can be opened."


class LocalKeyFile:
    """A JSON file, 0600; every process of the deployment reads the same one and notices when it changes.

    `{"current": id, "keks": {id: {"key", "since", "superseded"}}, "field_key": id, "fields": {id: key}, "root", "last",
    "check"}`, keys in base64, `check` an HMAC under the root over all the rest.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(settings.PHI_KEY_FILE)
        self._state: tuple[int, int, int] | None = None
        if not self.path.exists():
            guard.refuse_new_keys_beside_old_data(self.path)
            self.create(self.path)
        self._load()

    @classmethod
    def create(cls, path: Path) -> None:
        """Write a fresh key file unless somebody else was faster; never touches one that exists."""
        content = {
            "current": "k1",
            "keks": {"k1": _new_kek()},
            "field_key": "f1",
            "fields": {"f1": _new_key()},
            "root": _new_key(),
        }
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = _draft(path, content)
        try:
            os.link(draft, path)  # atomic, and fails where a file stands already
        except FileExistsError:
            pass
        finally:
            draft.unlink()

    # Reading

    def _load(self) -> None:
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if stat.S_IMODE(status.st_mode) & 0o077:
                    raise KeyUnavailable(OPEN_TO_OTHERS.format(self.path))
                content = _checked(json.loads(file.read()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise KeyUnavailable(UNREADABLE.format(self.path)) from None
        self._content = content
        self._current: str = content["current"]
        self._keks = {kek_id: AESGCM(_key(entry["key"])) for kek_id, entry in content["keks"].items()}
        self._root = _key(content["root"])
        self._secrets = {f"fields:{name}": _key(key) for name, key in content["fields"].items()}
        self._state = (status.st_mtime_ns, status.st_ino, status.st_size)

    def _refresh(self) -> None:
        """Read the file again if another process has replaced it."""
        try:
            status = self.path.stat()
        except OSError:
            raise KeyUnavailable(UNREADABLE.format(self.path)) from None
        if (status.st_mtime_ns, status.st_ino, status.st_size) != self._state:
            self._load()

    def current_kek(self) -> str:
        self._refresh()
        return self._current

    def current_field_key(self) -> str:
        self._refresh()
        return str(self._content["field_key"])

    def _kek(self, kek_id: str) -> AESGCM:
        if kek_id not in self._keks:
            self._refresh()
        try:
            return self._keks[kek_id]
        except KeyError:
            raise KeyUnavailable(f"The key-encryption key {kek_id} is not in the key file.") from None

    def wrap(self, data_key: bytes, kek_id: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._kek(kek_id).encrypt(nonce, data_key, kek_id.encode())

    def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        try:
            return self._kek(kek_id).decrypt(wrapped[:12], wrapped[12:], kek_id.encode())
        except (InvalidTag, ValueError):
            raise SealBroken("A data key did not unwrap.") from None

    def secret(self, purpose: str) -> bytes:
        if purpose not in self._secrets and purpose.startswith("fields:"):
            self._refresh()
            if purpose not in self._secrets:
                raise KeyUnavailable(f"The key {purpose} is not in the key file.")
        if purpose not in self._secrets:
            self._secrets[purpose] = HKDF(SHA256(), 32, None, purpose.encode()).derive(self._root)
        return self._secrets[purpose]

    def fingerprint(self) -> bytes:
        return self.secret("fingerprint")[:16]

    def keks(self) -> list[Kek]:
        self._refresh()
        found = [
            Kek(kek_id, datetime.fromisoformat(entry["since"]), _moment(entry["superseded"]))
            for kek_id, entry in self._content["keks"].items()
        ]
        return sorted(found, key=lambda kek: kek.since)

    # Changing

    @contextmanager
    def _change(self) -> Iterator[dict[str, Any]]:
        """The content, to be altered; replaced atomically, one process at a time."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._load()
            content = json.loads(json.dumps(self._content))
            yield content
            _draft(self.path, content).replace(self.path)
            self._load()

    def add_kek(self) -> str:
        with self._change() as content:
            kek_id = _next("k", content["keks"], content.get("last", 0))
            content["keks"][content["current"]]["superseded"] = clock.now().isoformat()
            content["keks"][kek_id] = _new_kek()
            content["current"] = kek_id
        return kek_id

    def retire_kek(self, kek_id: str) -> None:
        with self._change() as content:
            if kek_id == content["current"]:
                raise KeyUnavailable("The current key-encryption key cannot be retired; add a new one first.")
            content["keks"].pop(kek_id, None)
            content["last"] = max(int(kek_id[1:]), content.get("last", 0))

    def add_field_key(self) -> str:
        with self._change() as content:
            name = _next("f", content["fields"])
            content["fields"][name] = _new_key()
            content["field_key"] = name
        return name


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _new_kek() -> dict[str, str | None]:
    return {"key": _new_key(), "since": clock.now().isoformat(), "superseded": None}


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if len(key) != 32:
        raise ValueError("not 32 bytes")
    return key


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _next(letter: str, taken: dict[str, Any], last: int = 0) -> str:
    """Ids are never used twice: a backup that names a destroyed key must not meet a newer one of its name."""
    return f"{letter}{max(last, *(int(name[1:]) for name in taken)) + 1}"


def _mac(content: dict[str, Any]) -> str:
    body = json.dumps({k: v for k, v in content.items() if k != "check"}, sort_keys=True).encode()
    return hmac.new(_key(content["root"]), body, hashlib.sha256).hexdigest()


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    """The content, if nothing in it was altered and what it names is there; ValueError or KeyError if not."""
    if not hmac.compare_digest(_mac(content), str(content["check"])):
        raise ValueError("altered")
    content["keks"][content["current"]], content["fields"][content["field_key"]]
    return content


def _draft(path: Path, content: dict[str, Any]) -> Path:
    """A finished file beside `path`, 0600, flushed to disk."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    content = {**content, "check": _mac(content)}
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    return draft
