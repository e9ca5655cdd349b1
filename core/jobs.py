"""Start a job when the transaction commits."""

from typing import Any
from uuid import UUID

from celery import current_app
from django.db import transaction


def enqueue(name: str, *args: UUID | str | int, queue: str | None = None, countdown: float | None = None) -> None:
    """Run the task called `name` after commit. Arguments are ids and enum values, never PHI.

    The broker only wakes workers: a job that is lost is found again by a beat sweep over rows.
    """
    plain = tuple(str(arg) if isinstance(arg, UUID) else arg for arg in args)
    options: dict[str, Any] = {}
    if queue:
        options["queue"] = queue
    if countdown:
        options["countdown"] = countdown

    def start() -> None:
        if name not in current_app.tasks:
            current_app.loader.import_default_modules()  # a web process has not needed them before
        current_app.tasks[name].apply_async(args=plain, **options)

    transaction.on_commit(start)
