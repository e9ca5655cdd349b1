"""What came of a campaign, counted. No person is named, so a report may leave the house."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from campaigns import figures
from campaigns.models import Campaign, Figure
from core.cells import coarse, defused
from delivery import queries as delivery
from delivery.models import Delivery
from delivery.queries import Progress
from delivery.reasons import words
from tracking import queries as tracking
from tracking.queries import Bucket, Counts, Figures
from tracking.sums import sums_of

__all__ = ["Report", "as_csv", "coarse", "exact", "report", "rows"]


def people(figures: Figures) -> int:
    """Everybody who was not clearly a machine."""
    return figures.people.human + figures.people.unknown


@dataclass(frozen=True, slots=True)
class Link:
    destination: str
    figures: Figures

    @property
    def people(self) -> int:
        return people(self.figures)


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    sentence: str
    what_to_do: str
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of people unless said otherwise."""

    progress: Progress
    back: Counts
    refusals: list[Refusal]
    failures: dict[str, int]
    bounced: int
    links: list[Link]
    domains: list[tuple[str, dict[str, int]]]
    sent_over_time: list[tuple[datetime, int]]
    back_over_time: list[Bucket]

    @property
    def opened(self) -> int:
        return people(self.back.opens)

    @property
    def clicked(self) -> int:
        return people(self.back.clicks)

    @property
    def delivered(self) -> int:
        """Taken by the receiving side, as far as is known."""
        return self.progress.sent


def report(campaign: Campaign, *, with_domains: bool = True) -> Report:
    """The whole report. `with_domains`: counted now where they are few, else as far as a job has counted them."""
    progress = delivery.progress(campaign.pk)
    came_back = sums_of([campaign.pk])[campaign.pk]
    back = tracking.counts_in(came_back)
    version = campaign.template_version
    return Report(
        progress=progress,
        back=back,
        refusals=[Refusal(code, *words(code), count) for code, count in progress.refused_by_reason.items()],
        failures=delivery.failures_by_status(campaign.pk),
        bounced=delivery.bounced(campaign.pk),
        links=[
            Link(destination, back.links.get(number, Figures()))
            for number, destination in enumerate(version.links if version else ())
        ],
        domains=_domains(campaign) if with_domains else [],
        sent_over_time=delivery.over_time(campaign.pk),
        back_over_time=tracking.over_time_in(came_back),
    )


def _domains(campaign: Campaign) -> list[tuple[str, dict[str, int]]]:
    found = figures.domains(campaign)
    return delivery.ranked(found.found if isinstance(found, Figure) else found)


def exact(count: int) -> str:
    return str(count)


def rows(found: Report, *, say: Callable[[int], str] = exact) -> Iterator[tuple[str, str, str]]:
    """The report as (section, what, count); no person and no address in it."""
    progress, back = found.progress, found.back
    yield "recipients", "all", say(progress.total)
    for outcome in Delivery.Outcome:
        yield "recipients", outcome.label, say(progress.by_outcome.get(outcome, 0))
    yield "recipients", "Waiting", say(progress.waiting)
    yield "recipients", "Bounced (address does not exist)", say(found.bounced)
    for refusal in found.refusals:
        yield "refused", refusal.sentence, say(refusal.count)
    for status, count in found.failures.items():
        yield "failed", status, say(count)
    for name, counted in (("opens", back.opens), ("clicks", back.clicks)):
        yield name, "people", say(counted.people.human + counted.people.unknown)
        yield name, "machines only", say(counted.people.machine)
    yield "unsubscribes", "people", say(back.unsubscribes)
    for link in found.links:
        yield "links", link.destination, say(link.figures.people.human + link.figures.people.unknown)
    for domain, outcomes in found.domains:
        for ended, count in outcomes.items():
            yield "domains", f"{domain}: {ended}", say(count)


def as_csv(found: Report, *, say: Callable[[int], str] = exact) -> str:
    """The report for a spreadsheet; cells that a spreadsheet could run as formulas are defused (SND-09)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["section", "what", "count"])
    for section, what, count in rows(found, say=say):
        writer.writerow([section, defused(what), count])
    return out.getvalue()
