"""Keep the column store in step with the people. Every task may run twice without harm."""

from celery import shared_task

from core.jobs import enqueue
from segments.store import care, rows, writing


@shared_task(name="segments.write_partition")
def write_partition(partition_id: int) -> None:
    """Take the changes of one partition into it."""
    writing.write(partition_id)


@shared_task(name="segments.sweep_store")
def sweep_store() -> None:
    """Have partitions written that somebody was deleted from, or whose changes are many or old."""
    for number in care.due():
        enqueue("segments.write_partition", number)


@shared_task(name="segments.look_at_partition")
def look_at_partition(partition_id: int) -> None:
    """Hold one partition against its records."""
    care.look(partition_id)


@shared_task(name="segments.check_store")
def check_store() -> None:
    """Hold every partition against its records, one at a time."""
    for number in rows.heads():
        enqueue("segments.look_at_partition", number)
