"""One person of a claim on their way: where they were when it began, where they are, and what came of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from workflows import step
from workflows.engine.claims import Row
from workflows.language.definition import Definition
from workflows.step import Effect, Left, Note, Passed, Place

#: Minutes until somebody whose step failed is tried again, the 1st, 2nd … time; then they need attention.
BACKOFF = (1, 5, 15, 60, 360)

ATTENTION = "attention"


class Traveller:
    """Mutable, for one claim: `place` moves on, and `passed` grows by each visit that ends, with what it made."""

    __slots__ = ("attempts", "awaits", "hands_over", "passed", "place", "row", "status", "trouble")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.place = row.place
        self.awaits = row.awaits
        self.attempts = row.attempts
        #: Of who needs attention it stays; of others it is asked anew.
        self.trouble = row.trouble if row.status == ATTENTION else ""
        self.status = row.status
        self.passed: list[tuple[Passed, UUID | None]] = []
        #: A mail is to be handed over for this visit.
        self.hands_over = False

    # -- what facts ask about: workflows.engine.known.Person ------------------------------------------------------

    @property
    def id(self) -> int:
        return self.row.id

    @property
    def workflow_id(self) -> UUID:
        return self.row.workflow_id

    @property
    def version_id(self) -> UUID:
        return self.row.version_id

    @property
    def contact_id(self) -> UUID:
        return self.row.contact_id

    @property
    def contact_number(self) -> int:
        return self.row.contact_number

    @property
    def key_index(self) -> bytes | None:
        return self.row.key_index

    @property
    def happening_id(self) -> int | None:
        return self.row.happening_id

    @property
    def entered_at(self) -> datetime:
        return self.row.entered_at

    @property
    def since(self) -> datetime:
        return self.place.since

    @property
    def visit(self) -> int:
        return self.place.visit

    # -- what becomes of them ------------------------------------------------------------------------------------

    def take(self, definition: Definition, effect: Effect, now: datetime, made: UUID | None) -> bool:
        """Move on as the step decided; whether they came to another step. `made`: by the step's act, just now."""
        if effect.trouble:
            self.needs_attention(effect.trouble)
            return False
        there, passed = step.moved(definition, self.place, effect, now)
        self.place, self.attempts, self.trouble = there, 0, ""
        if passed is None:
            if effect.act:
                self.awaits = made
            return False
        self.passed.append((passed, made or self.awaits))
        self.awaits = None
        if there.left is not None:
            self.status = "left"
        return there.step is not None

    def fail(self, code: str, now: datetime) -> None:
        """The step could not be carried out for them: again later, or when somebody has seen to it."""
        if self.stuck:
            self.rest()
            return
        if self.attempts >= len(BACKOFF):
            self.needs_attention(code)
            return
        wait = timedelta(minutes=BACKOFF[self.attempts])
        self.trouble, self.attempts = code, self.attempts + 1
        self.place = msgspec.structs.replace(self.place, wake_at=now + wait)

    def unsent(self, code: str, now: datetime) -> None:
        """Their mail could not be handed over after all: as if this step had not been carried out."""
        self.place = msgspec.structs.replace(self.place, awaits=False)
        self.awaits, self.hands_over = None, False
        self.attempts = 0 if self.passed else self.row.attempts
        self.fail(code, now)

    def needs_attention(self, code: str) -> None:
        self.trouble, self.status = code, ATTENTION
        self.attempts = min(self.attempts + 1, 1000)
        self.place = msgspec.structs.replace(self.place, wake_at=None)

    @property
    def stuck(self) -> bool:
        """Whether they need attention: nothing is done with them but that they may leave."""
        return self.status == ATTENTION

    def rest(self) -> None:
        """As they were, until there is news."""
        self.place = msgspec.structs.replace(self.place, wake_at=None)

    @property
    def left(self) -> bool:
        return self.place.step is None

    @property
    def step_id(self) -> str:
        """Where they are; of who has left, where they were last."""
        return self.place.step or self.passed[-1][0].step

    def counted(self) -> Iterator[tuple[str, str]]:
        """What of this goes into the numbers: (step, what)."""
        for passed, _ in self.passed:
            yield passed.step, _what(passed)
            if passed.note in _ALSO:
                yield passed.step, _ALSO[passed.note]
        for passed, _ in self.passed[1:]:
            yield passed.step, "arrived"
        if self.passed and self.place.step is not None:
            yield self.place.step, "arrived"
        if self.stuck and self.row.status != ATTENTION:
            yield self.step_id, ATTENTION


_ALSO: dict[str, str] = {Note.REFUSED: "refused", Note.CANCELLED: "refused", Note.FAILED: "failed"}


def _what(passed: Passed) -> str:
    """Who comes to an end has passed it; who leaves elsewhere has left there."""
    if passed.way or passed.note == Left.END:
        return "passed"
    return "goal" if passed.note == Left.GOAL else "left"


def placed(row: Row, place: Place) -> Traveller:
    """Somebody at another place than their row says: to see what would become of them there."""
    traveller = Traveller(row._replace(status="active", trouble=""))
    traveller.place = place
    return traveller
