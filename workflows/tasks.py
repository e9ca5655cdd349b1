"""Jobs of the engine. They carry nothing, may run twice, and are found again by the sweep."""

from celery import current_app, shared_task
from django.conf import settings

from core import clock
from core.jobs import enqueue
from workflows.engine import claims, places
from workflows.engine.run import run as work


# A wake-up that waited this long is worth nothing: the sweep has sent others since.
@shared_task(name="workflows.run", expires=60)
def run() -> None:
    """Work on who is due for a slice of time, then make room for other jobs and come back if there is more."""
    with places.place() as found:
        more = found and bool(work(seconds=settings.WORKFLOWS_SLICE_SECONDS))
    if more and not current_app.conf.task_always_eager and claims.due(clock.now()):
        enqueue("workflows.run")


@shared_task(name="workflows.sweep")
def sweep() -> None:
    """See to it that as many as may work on what is due, if something is: a job for each place nobody works at."""
    if claims.due(clock.now()):
        for _ in range(places.free()):
            enqueue("workflows.run")
