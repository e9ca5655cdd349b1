import logging

from celery import shared_task

from audit import commands

log = logging.getLogger(__name__)


@shared_task(name="audit.seal")
def seal() -> None:
    """Give new entries their leaves and sign the head. Every ten seconds; may run twice without harm."""
    commands.seal()


@shared_task(name="audit.verify")
def verify() -> None:
    """The watchman's next stretch. Every five minutes."""
    watch = commands.verify()
    if watch.problem:
        log.error("The trail: %s", watch.problem)
