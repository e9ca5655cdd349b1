"""What came of each mail of a journey: counts only. No person is named, so it may leave the house."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.core.cache import cache
from django.db import connection, transaction

from audit.commands import record
from core.actors import By
from core.cells import coarse, defused
from delivery import queries as delivery
from delivery.queries import Ends
from delivery.reasons import words as reason_words
from tracking import queries as tracking
from tracking.queries import Returned
from workflows.language import words
from workflows.language.definition import Mail, from_json
from workflows.models import VersionMail, Workflow, WorkflowVersion


@dataclass(frozen=True, slots=True)
class Refusal:
    sentence: str
    what_to_do: str
    count: int


@dataclass(slots=True)
class MailResult:
    """One mail step, over the versions asked for. `opened`, `clicked`: people, machines left out, each once a version
    however often the mail reached them; None where no version counted them."""

    step: str
    title: str
    templates: list[str] = field(default_factory=list)
    #: Numbers of the versions with it, the newest first.
    versions: list[int] = field(default_factory=list)
    #: Whether the newest of the versions has it.
    current: bool = True
    ends: Ends = field(default_factory=Ends)
    opened: int | None = None
    clicked: int | None = None
    unsubscribed: int = 0
    #: Times somebody left by a goal who had been sent this before; None where there is no goal.
    reached: int | None = None

    @property
    def called(self) -> str:
        """Its templates, where the step is not called so already."""
        return ", ".join(self.templates) if self.templates != [self.title] else ""

    @property
    def sent(self) -> int:
        return self.ends.by_outcome["sent"]

    @property
    def refused(self) -> int:
        return self.ends.by_outcome["refused"]

    @property
    def failed(self) -> int:
        """Bounced ones are told apart."""
        return self.ends.by_outcome["failed"] - self.ends.bounced

    @property
    def refusals(self) -> list[Refusal]:
        return [Refusal(*reason_words(code), count) for code, count in self.ends.refused_by_reason.most_common()]


def of_mails(workflow: Workflow, *, version: int | None = None) -> list[MailResult]:
    """Each mail in the order in which people come by, those no longer in the journey last.

    `version`: of that version alone. Seven statements, however many versions, mails and people.
    """
    versions = _published(workflow, version)
    mails: dict[UUID, list[VersionMail]] = {}
    for mail in VersionMail.objects.filter(version__in=versions).select_related("template_version__template"):
        mails.setdefault(mail.version_id, []).append(mail)
    origins = [mail.pk for found in mails.values() for mail in found]
    ends, back = delivery.ends_by_origin(origins), tracking.people_by_origin(origins)
    reached = _reached(workflow)
    results: dict[str, MailResult] = {}
    for at, one in enumerate(versions):
        definition = from_json(one.definition)
        titles = words.titles(definition)
        place = {step: n for n, step in enumerate(titles)}
        for mail in sorted(mails.get(one.pk, ()), key=lambda mail: place.get(mail.step, len(place))):
            step = definition.steps[mail.step]
            assert isinstance(step, Mail)
            if mail.step not in results:
                results[mail.step] = MailResult(mail.step, titles[mail.step], current=at == 0)
            _add(results[mail.step], one, mail, step, ends[mail.pk], back[mail.pk])
            if words.has_goal(definition):
                results[mail.step].reached = (results[mail.step].reached or 0) + reached.get((one.pk, mail.step), 0)
    return list(results.values())


def _add(  # noqa: PLR0917  what the caller has at hand
    result: MailResult, version: WorkflowVersion, mail: VersionMail, step: Mail, ends: Ends, back: Returned
) -> None:
    template = str(mail.template_version.template.name)
    if template not in result.templates:
        result.templates.append(template)
    result.versions.append(version.number)
    result.ends = result.ends + ends
    if step.track_opens:
        result.opened = (result.opened or 0) + back.opened
    if step.track_clicks:
        result.clicked = (result.clicked or 0) + back.clicked
    result.unsubscribed += back.unsubscribed


# Everybody who left by a goal, and the mails made for them on the way; told of the version on which each was made.
_REACHED = """
SELECT t.version_id, t.step, count(DISTINCT t.enrolment_id)
FROM workflows_enrolment e JOIN workflows_transition t ON t.enrolment_id = e.id
JOIN delivery_delivery d ON d.id = t.made AND d.outcome = 'sent'
WHERE e.workflow_id = %s AND e.left_because = 'goal' AND t.made IS NOT NULL
GROUP BY 1, 2
"""
#: Seconds that answer is kept: it reads everybody who reached the goal.
SECONDS = 60


def _reached(workflow: Workflow) -> dict[tuple[UUID, str], int]:
    """Of each mail of each version: times somebody who was sent it reached the goal later."""
    key = f"workflows:reached:{workflow.pk}"
    known: dict[tuple[UUID, str], int] | None = cache.get(key)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute(_REACHED, [workflow.pk])
            known = {(version, step): people for version, step, people in cursor.fetchall()}
        cache.set(key, known, SECONDS)
    return known


def _published(workflow: Workflow, number: int | None) -> list[WorkflowVersion]:
    """Newest first."""
    found = workflow.versions.filter(live_at__isnull=False).order_by("-number")
    return list(found.filter(number=number) if number is not None else found)


def numbers_of(workflow: Workflow) -> list[int]:
    """Versions that were live at any time, the newest first."""
    return list(workflow.versions.filter(live_at__isnull=False).order_by("-number").values_list("number", flat=True))


def refusals(results: Iterable[MailResult]) -> list[tuple[MailResult, Refusal]]:
    """Why mails did not leave, mail by mail, the most frequent reason first."""
    return [(result, refusal) for result in results for refusal in result.refusals]


COLUMNS = ("step", "mail", "versions", "what", "count")


@transaction.atomic
def export(workflow: Workflow, *, version: int | None, exact: bool, by: By) -> str:
    """All of it as CSV; the trail keeps that it was taken. `exact` False: no count from 1 to 10 (PRV-14)."""
    record("workflow.results_exported", by=by, target=workflow, exact=exact)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in rows(of_mails(workflow, version=version), exact=exact):
        writer.writerow([defused(cell) for cell in row])
    return out.getvalue()


def rows(results: Iterable[MailResult], *, exact: bool) -> Iterator[tuple[str, ...]]:
    """(step, mail, versions, what, count) of each mail."""
    say: Callable[[int], str] = str if exact else coarse
    for one in results:
        head = (one.step, one.title, " ".join(map(str, sorted(one.versions))))
        counts: Counter[str] = Counter(one.ends.by_outcome)
        yield from ((*head, f"mails {outcome}", say(count)) for outcome, count in sorted(counts.items()))
        yield (*head, "mails bounced (address does not exist)", say(one.ends.bounced))
        for what, people in (
            ("opened", one.opened),
            ("clicked", one.clicked),
            ("unsubscribed", one.unsubscribed),
            ("reached the goal later", one.reached),
        ):
            if people is not None:
                yield (*head, f"people who {what}", say(people))
        yield from ((*head, f"refused: {refusal.sentence}", say(refusal.count)) for refusal in one.refusals)
