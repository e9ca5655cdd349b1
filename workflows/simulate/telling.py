"""In words: what was assumed, what came of trying mails, and what a journey does besides mail. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from workflows.entry import REFUSALS
from workflows.language import words
from workflows.language.definition import AnyStep, Definition, Enter, Mail, Webhook
from workflows.language.names import Names
from workflows.simulate.assumptions import Settings

_ACTS = {"told": "Told", "done": "Taken", "failed": "Failed", "entered": "Enter"}


@dataclass(frozen=True, slots=True)
class Acting:
    """A step that does something besides mail, in numbers: in all, on the busiest day, and that day."""

    title: str
    summary: str
    outcomes: tuple[tuple[str, int], ...]
    total: int
    most: int
    day: date | None
    note: str


def acting(step: AnyStep, title: str, names: Names, said: Mapping[str, Any], days: Sequence[date]) -> Acting:
    """`said`: what results keep of the step."""
    most = max(said["days"], default=0)
    return Acting(
        title,
        words.step_summary(step, names),
        tuple((_act(outcome), count) for outcome, count in said["outcomes"].items()),
        sum(said["days"]),
        most,
        days[said["days"].index(most)] if most else None,
        "What happens to them there is not simulated." if isinstance(step, Enter) else "",
    )


def _act(outcome: str) -> str:
    return _ACTS.get(outcome) or f"Not: {REFUSALS.get(outcome, outcome)}"


def tried(found: Mapping[str, Any], names: Names) -> Iterator[str]:
    """Why a mail could not be made for some, a sentence each; `found`: what results keep of the step."""
    for why, count in found["why"].items():
        field = why.removeprefix("missing:")
        said = "the template cannot be filled" if field == why else f"there is no “{_field(field, names)}”"
        yield f"{count:,} of {found['tried']:,} tried: {said}."
    for field, count in found["lacking"].items() if found["tried"] < found["people"] else ():
        yield f"{count:,} of all {found['people']:,} have no “{_field(field, names)}”."


def _field(key: str, names: Names) -> str:
    return words.attribute(key, names).strip("“”")


def assumed(settings: Settings, definition: Definition, names: Names) -> Iterator[str]:
    """A sentence for each thing that was assumed; of what the journey has no use for none."""
    given, steps = settings.assumptions, definition.steps.values()
    mails = [step for step in steps if isinstance(step, Mail)]
    if given.replay:
        yield "People open and click as they did in the last year."
    else:
        if any(mail.track_opens for mail in mails):
            yield f"{given.opens:g} of 100 counted mails are opened."
        if any(mail.track_clicks for mail in mails):
            yield f"{given.clicks:g} of 100 counted mails are clicked in."
        for what, one in given.events.items():
            key = what.removeprefix("attribute:")
            title = words.attribute(key, names) if key != what else words.event(what, names)
            yield f"“{title}” happens to {one.percent:g} of 100, within {one.days:g} days of entering."
    if any(mail.topic for mail in mails):
        yield f"{given.unsubscribes:g} of 100 mails on a topic make somebody unsubscribe."
    if any(isinstance(step, Webhook) for step in steps):
        yield f"{given.calls_failed:g} of 100 calls fail."
