"""What may befall a worker in the middle of something: it is killed, or another one is at the same work."""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, connections

#: Seconds that a worker stands still for another one, which may wait for the first one's locks.
STILL = 0.3
#: What is said in the statements at which it befalls somebody: right after a claim, between an act and its record, …
POINTS = {
    "listen": ["workflows_contactchange", "INTO workflows_happening", "INTO workflows_enrolment", "workflows_cursor",
               "UPDATE workflows_enrolment"],
    "look": ["INTO workflows_enrolment", "workflows_cursor", "UPDATE workflows_enrolment"],
    "work": ["SKIP LOCKED", "contacts_contact", "segments_membership", "workflows_call", "workflows_notice",
             "INTO workflows_enrolment", "delivery_sendbatch", "UPDATE workflows_enrolment", "INTO workflows_tally"],
}  # fmt: skip


class Killed(BaseException):
    """The worker is gone, in the middle of something."""


@dataclass(frozen=True)
class Break:
    """In one work, at the first statement that says `at`: it is killed before it, or another worker comes after it."""

    how: str  # killed, another
    work: str
    at: str

    def befall(self, work: Callable[[], Any], other: Callable[[], Any]) -> bool:
        """Whether it came to that."""
        return killed(work, self.at) if self.how == "killed" else disturbed(work, self.at, other)


def drawn_break(random_: random.Random) -> Break:
    work = random_.choice(["listen", "look", *["work"] * 3])
    return Break(random_.choice(["killed", "another"]), work, random_.choice(POINTS[work]))


def killed(work: Callable[[], Any], at: str) -> bool:
    """Whatever it had begun is gone."""

    def watch(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if at in str(sql):
            raise Killed
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(watch):
            work()
    except Killed:
        connection.close()
        return True
    return False


def disturbed(work: Callable[[], Any], at: str, other: Callable[[], Any]) -> bool:
    """Another worker, with a connection of its own, begins in the middle and comes as far as it can."""
    began: list[threading.Thread] = []
    failures: list[BaseException] = []

    def theirs() -> None:
        try:
            other()
        except BaseException as failure:
            failures.append(failure)
        finally:
            connections.close_all()

    def watch(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        done = execute(sql, params, many, context)
        if at in str(sql) and not began:
            began.append(threading.Thread(target=theirs))
            began[0].start()
            began[0].join(STILL)
        return done

    with connection.execute_wrapper(watch):
        work()
    for thread in began:
        thread.join()
    assert not failures, failures
    return bool(began)


@contextmanager
def complaints() -> Iterator[list[str]]:
    """What this room complains of in the log meanwhile: nothing of what is drawn is a reason to."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(self.format(record))

    ear = Ear(logging.WARNING)
    logging.getLogger("workflows").addHandler(ear)
    try:
        yield said
    finally:
        logging.getLogger("workflows").removeHandler(ear)
