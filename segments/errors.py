"""Refusals of the segments room."""

from dataclasses import dataclass

from core.errors import DomainError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one clause. `path` is its place in the JSON ("root.all[2].value")."""

    path: str
    clause: str
    message: str
    #: Nothing was filled in yet: no reason to shout while somebody is still building.
    unfinished: bool = False

    def __str__(self) -> str:
        return f"{self.clause}: {self.message}" if self.clause else self.message


class RuleError(DomainError):
    """The rule cannot be used as it stands."""

    status = 400

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.path, self.message = problems[0].path, str(problems[0])
        more = len(problems) - 1
        rest = "" if not more else f" And {more} more such condition{'s' if more > 1 else ''}."
        super().__init__(self.message + rest)

    @property
    def fields(self) -> dict[str, list[dict[str, str]]]:
        """What the API says of each clause."""
        return {"rule": [{"path": p.path, "message": str(p)} for p in self.problems[:100]]}


class NameMissing(DomainError):
    status = 400


class NotTheLatest(DomainError):
    """Somebody saved the segment in between."""


class KeptElsewhere(DomainError):
    """Another page of the same person kept, saved or discarded what is built here since this page last knew."""


class Archived(DomainError):
    """The segment is archived."""


class IdentifiersWithHealth(DomainError):
    """IDX-09: the rule asks about a known person's health."""

    status = 403


class PartTooSmall(DomainError):
    """A part of the question is about fewer than 11 people, and the asker sees aggregates only."""

    status = 403


class TooManyQuestions(DomainError):
    """The asker's allowance of questions for today is used up."""

    status = 429


class NearlyTheSame(DomainError):
    """Too many questions in a row were about nearly the same people as earlier ones."""

    status = 429


class MembershipUnreadable(DomainError):
    """A kept bitmap was altered or damaged: it is not trusted."""


class NotKept(DomainError):
    """Nobody looked who was in the segment then, or it has been forgotten since."""

    status = 404


class NotARule(DomainError):
    """A snapshot has no rule to change."""


class NotASnapshot(DomainError):
    """People are added to and taken out of snapshots only: a rule finds its own."""


class InUse(DomainError):
    """The segment is part of something that relies on it."""


class NothingToExport(DomainError):
    """Nobody matches, or no column was chosen."""

    status = 400


class SaleForbidden(DomainError):
    """PRV-12: what is given for payment is a sale."""

    status = 403


class AgreementMissing(DomainError):
    """SEC-09: the file would go to somebody without an agreement in force."""


class NotTheSecondPerson(DomainError):
    """Whoever asked for an export cannot approve it."""

    status = 403


class NotYours(DomainError):
    """The export was asked for by somebody else."""

    status = 403


class NotApproved(DomainError):
    """The export may not leave: nobody approved it, or no longer."""


class NotAsAsked(DomainError):
    """What would leave now is not what was asked for."""
