"""What a step has done in the world, as the engine hands it over: who, where, and what the pure step decided."""

from typing import NamedTuple, Protocol
from uuid import UUID

from workflows.language.definition import AnyStep
from workflows.step import Effect


class Row(Protocol):
    """What of an enrolment is needed: a model, or a bare row of these columns."""

    @property
    def id(self) -> int: ...
    @property
    def workflow_id(self) -> UUID: ...
    @property
    def version_id(self) -> UUID: ...
    @property
    def contact_id(self) -> UUID: ...
    @property
    def key_index(self) -> bytes | None: ...
    @property
    def happening_id(self) -> int | None: ...
    @property
    def visit(self) -> int: ...


class Act(NamedTuple):
    """One person's act at one visit: carried out once, however often it is handed over."""

    row: Row
    step_id: str
    step: AnyStep
    effect: Effect


class Applied(NamedTuple):
    """What came of acts, by enrolment: what was made (a call, a notice), and who is in trouble, by its code."""

    made: dict[int, UUID]
    trouble: dict[int, str]
