"""Where keys live. The embedded default is one local file outside the database and its backups (KEY-02)."""

import base64
import json
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from phi.errors import KeyUnavailable, SealBroken


class LocalKeyFile:
    """A JSON file, 0600: `{"current": id, "keks": {id: base64}, "root": base64}`."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or Path(settings.PHI_KEY_FILE)
        self._secrets: dict[str, bytes] = {}
        try:
            data = json.loads(self.path.read_text())
        except FileNotFoundError:
            data = self._create()
        except (OSError, ValueError):
            raise KeyUnavailable("The key file cannot be read; restore it before anything can be opened.") from None
        self._current: str = data["current"]
        self._keks = {kek: AESGCM(base64.b64decode(key)) for kek, key in data["keks"].items()}
        self._root = base64.b64decode(data["root"])

    def _create(self) -> dict[str, object]:
        data = {
            "current": "k1",
            "keks": {"k1": base64.b64encode(secrets.token_bytes(32)).decode()},
            "root": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            loaded: dict[str, object] = json.loads(self.path.read_text())
            return loaded
        with os.fdopen(handle, "w") as file:
            json.dump(data, file)
        return data

    def current_kek(self) -> str:
        return self._current

    def _kek(self, kek_id: str) -> AESGCM:
        try:
            return self._keks[kek_id]
        except KeyError:
            raise KeyUnavailable("A key-encryption key is missing from the key file.") from None

    def wrap(self, data_key: bytes, kek_id: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._kek(kek_id).encrypt(nonce, data_key, kek_id.encode())

    def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        try:
            return self._kek(kek_id).decrypt(wrapped[:12], wrapped[12:], kek_id.encode())
        except InvalidTag:
            raise SealBroken("A data key did not unwrap.") from None

    def secret(self, purpose: str) -> bytes:
        if purpose not in self._secrets:
            self._secrets[purpose] = HKDF(SHA256(), 32, None, purpose.encode()).derive(self._root)
        return self._secrets[purpose]
