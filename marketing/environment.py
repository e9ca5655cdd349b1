"""Where this deployment keeps its things: read once, from the environment, with working defaults."""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent
#: Everything a run creates: embedded database, keys, local CA. Outside version control.
HOME = Path(os.environ.get("CARILLON_HOME", BASE_DIR / "var"))
#: True only for `make run` and the tests: sign-in links, the mail catcher and the Mailbox page exist.
LOCAL_RUN = os.environ.get("CARILLON_LOCAL_RUN") == "1"


def database(url: str | None = None) -> dict[str, Any]:
    """Django's settings for `DATABASE_URL`, else for the embedded server that last ran here."""
    url = url or os.environ.get("DATABASE_URL") or _embedded_url()
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("DATABASE_URL must start with postgresql://; Carillon runs on PostgreSQL only.")
    options = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    host = unquote(options.pop("host", parts.hostname or ""))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        "TEST": {"NAME": os.environ.get("CARILLON_TEST_DATABASE")},
    }


def _embedded_url() -> str:
    """The address that `marketing.postgres` leaves beside its data, 0600."""
    note = HOME / "postgres" / "url"
    return note.read_text().strip() if note.exists() else "postgresql://carillon@localhost/carillon"


def secret_key() -> str:
    """`CARILLON_SECRET_KEY`, else one made on the first run and kept 0600 beside the keyring."""
    if key := os.environ.get("CARILLON_SECRET_KEY"):
        return key
    path = HOME / "keys" / "secret_key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
        return path.read_text()
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}. Make room there or own it, or set CARILLON_HOME to another folder.")


def broker_transport(broker: str, db: dict[str, Any]) -> dict[str, Any]:
    """Celery's transport options: pgmq talks to the same PostgreSQL; Redis and RabbitMQ need only their URL."""
    if not broker.startswith("pgmq"):
        return {}
    fields = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    conn = " ".join(f"{key}={json.dumps(str(db[name]))[1:-1]}" for key, name in fields.items() if db[name])
    return {
        "conn_string": conn,
        "init_extension": False,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,
        "wait_time_seconds": 0,
        "polling_interval": 5,
        "visibility_timeout": 600,
        "pool_size": 2,
    }
