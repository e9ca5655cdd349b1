"""Every place where data live, are queued, cached, logged or leave (SEC-01), from the declarations and the settings."""

import inspect
from pathlib import Path
from typing import Any, cast

from celery import current_app
from django.apps import apps
from django.conf import settings
from django.db import connection

from phi.declarations import UNMODELLED, declaration_of


def datamap() -> dict[str, Any]:
    """The map as plain data. Raises ValueError where a table says too little or too much of itself."""
    return {
        "tables": tables(),
        "other_tables": UNMODELLED,
        "jobs": jobs(),
        "keys": keys(),
        "caches": caches(),
        "logs": logs(),
        "files": files(),
        "outbound": outbound(),
    }


def tables() -> list[dict[str, Any]]:
    """Each table with its fields by class."""
    found = []
    for model in apps.get_models(include_auto_created=True):
        declaration = declaration_of(model)
        if declaration is None:
            raise ValueError(f"{model._meta.label} does not say what it holds")
        try:
            holds = declaration.classes([field.name for field in model._meta.concrete_fields])
        except ValueError as problem:
            raise ValueError(f"{model._meta.label}: {problem}") from None
        found.append({"table": model._meta.db_table, "model": model._meta.label, "holds": holds})
    return sorted(found, key=lambda table: str(table["table"]))


def jobs() -> dict[str, Any]:
    """The queues and the arguments of every task: ids, never values."""
    current_app.loader.import_default_modules()
    names = sorted(name for name in current_app.tasks if not name.startswith("celery."))
    arguments = {name: list(inspect.signature(current_app.tasks[name].run).parameters) for name in names}
    queues = {settings.CELERY_TASK_DEFAULT_QUEUE}
    queues |= {str(route["queue"]) for route in settings.CELERY_TASK_ROUTES.values() if "queue" in route}
    scheme = str(settings.CELERY_BROKER_URL).partition(":")[0]
    return {"broker": scheme, "queues": sorted(queues), "tasks": arguments}


def keys() -> dict[str, str]:
    return {
        "provider": settings.PHI_KEY_PROVIDER,
        "file": str(settings.PHI_KEY_FILE),
        "holds": "key-encryption keys, field keys and the root of all secrets; 0600, not in the database or its backup",
    }


def caches() -> list[dict[str, str]]:
    opened = f"opened columns of people, at most {settings.SEGMENTS_MEMORY // 2**20} MB a process; never on a disk"
    return [
        {
            "cache": alias,
            "backend": str(options["BACKEND"]).rpartition(".")[2],
            "holds": "counters of throttles, ids, counts",
        }
        for alias, options in settings.CACHES.items()
    ] + [{"cache": "segments.store", "backend": "process memory", "holds": opened}]


def logs() -> list[dict[str, str]]:
    handlers = cast(dict[str, dict[str, Any]], settings.LOGGING["handlers"])
    return [
        {"handler": name, "to": str(handler.get("filename", "standard error")), "holds": "events and ids, no values"}
        for name, handler in handlers.items()
    ]


def files() -> list[dict[str, str]]:
    home = Path(settings.PHI_KEY_FILE).parent.parent
    return [
        {"path": f"{home}/keys", "holds": "the key file and Django's secret key"},
        {"path": f"{home}/postgres", "holds": "the embedded database and its WAL: what the tables hold"},
        {"path": f"{home}/run", "holds": "process ids, beat's schedule, the local run's certificate authority"},
    ]


def outbound() -> list[dict[str, str]]:
    """Where data leave to: the relays, and the DNS name patients' links lead back to."""
    relays = []
    relay = apps.get_model("delivery", "Relay")
    if relay._meta.db_table in connection.introspection.table_names():
        rows = relay._default_manager.filter(removed_at=None).values_list("host", "port", "baa_party").order_by("host")
        relays = [
            {"to": f"{host}:{port}", "by": "SMTP, verified TLS", "holds": "mails", "agreement": party or "none"}
            for host, port, party in rows
        ]
    public = {"to": str(settings.PUBLIC_URL), "by": "links in mails", "holds": "opaque tokens", "agreement": "own host"}
    return [*relays, public]
