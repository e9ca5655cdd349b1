"""Facts are written to files by the way: the tables answer until then, only more slowly."""

from uuid import UUID

from celery import shared_task

from core.jobs import enqueue
from segments.facts import restored, writing


@shared_task(name="segments.write_facts")
def write_facts() -> None:
    """Have every file written that is missing, or that much came to since."""
    restored.heal()
    for (kind, subject), generation in writing.due():
        enqueue("segments.write_fact_file", kind, subject, generation)


@shared_task(name="segments.write_fact_file")
def write_fact_file(kind: str, subject_id: str, epoch: int) -> None:
    """Write one file, unless it is no longer of that generation (`epoch`): somebody did since it was found due."""
    writing.write((kind, UUID(subject_id)), epoch)
