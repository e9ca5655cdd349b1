"""What is wrong with what several kinds of steps, triggers and exits have: names of what is gone, lengths, values."""

import re
from collections.abc import Generator, Iterator
from uuid import UUID

from contacts import values
from contacts.errors import BadValue
from contacts.models import Kind
from segments.errors import RuleError
from workflows.errors import Problem
from workflows.language import definition as d
from workflows.language import graph
from workflows.language.names import Names

#: Five years, the longest wait and the farthest from a date.
MAX_DAYS = 1_826
MAX_MINUTES = MAX_DAYS * 24 * 60
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")


def rule_problems(step: str, place: str, raw: object, names: Names) -> Iterator[Problem]:
    """What the segment language says of a rule."""
    if raw is None:
        yield Problem(step, place, "There is no rule yet. Add at least one condition.")
        return
    try:
        names.rule(raw)
    except RuleError as refusal:
        yield from (Problem(step, place, str(problem)) for problem in refusal.problems[:10])


def segment_problems(step: str, place: str, segment: UUID | None, names: Names) -> Iterator[Problem]:
    if segment is None:
        yield Problem(step, place, "Choose a segment.")
        return
    try:
        saved = names.catalog.segments[segment]
    except KeyError:
        yield Problem(step, place, "There is no such segment. Choose another one.")
        return
    if saved.archived:
        yield Problem(step, place, f"The segment “{saved.name}” is archived. Restore it, or choose another one.")
    elif not saved.snapshot:
        yield from rule_problems(step, place, saved.rule, names)


def topic_problems(step: str, place: str, topic: UUID, names: Names) -> Iterator[Problem]:
    if topic in names.catalog.removed_topics:
        yield Problem(step, place, "This topic was removed. Choose another one.")
    elif topic not in names.catalog.topics:
        yield Problem(step, place, "There is no such topic. Choose another one.")


def event_problems(step: str, place: str, event: str, names: Names) -> Iterator[Problem]:
    if not event.strip():
        yield Problem(step, place, "Choose an event.")
    elif names.event(event) is None:
        text = f"No event “{event[:60]}” is declared. Declare it under Workflows, Events, or choose another one."
        yield Problem(step, place, text)


def key_problems(step: str, place: str, trigger: d.AnyTrigger) -> Iterator[Problem]:
    """A key of an event is never that of a date."""
    if isinstance(trigger, d.ByDate):
        text = "People come in by a date, so no event is about the one they entered for. Let any such event count."
        yield Problem(step, place, text)


def attribute_problems(step: str, place: str, key: str, names: Names) -> Iterator[Problem]:
    if not key:
        yield Problem(step, place, "Choose an attribute.")
    elif key in names.catalog.removed:
        yield Problem(step, place, f"The attribute “{names.catalog.removed[key][0]}” was removed. Choose another one.")
    elif key not in names.attributes:
        yield Problem(step, place, f"There is no attribute “{key[:60]}”. Choose another one.")


def change_problems(
    step: str, place: str, key: str, node: d.ByAttribute | d.WaitEvent, names: Names
) -> Iterator[Problem]:
    """A change of an attribute, from and to values that it can have."""
    yield from attribute_problems(step, f"{place}attribute", key, names)
    if key not in names.attributes:
        return
    coded = names.attributes[key].kind == Kind.CODED
    for part, given in (("was", node.was), ("becomes", node.becomes)):
        for value in given:
            if text := _code_problem(value) if coded else value_problem(key, value, names):
                yield Problem(step, f"{place}{part}", text)
    if node.was and node.becomes and set(node.was) == set(node.becomes) and len(node.was) == 1:
        yield Problem(step, f"{place}becomes", "From a value to the same value is no change.")


def _code_problem(value: d.Value) -> str:
    """Of a list of codes it is codes that come and go; None is the empty list."""
    coded = value is None or (isinstance(value, str) and 0 < len(value.strip()) <= 100)
    return "" if coded else "A code is a text of at most 100 characters."


def value_problem(key: str, value: d.Value, names: Names) -> str:
    """What keeps this value from being one of the attribute's; None is no value at all, and may be meant."""
    attribute = names.attributes[key]
    if attribute.kind == Kind.CODED:
        return f"“{attribute.label}” is a list of codes, not a single value."
    if value is None:
        return ""
    try:
        stored = values.accept(attribute, value)
    except BadValue as bad:
        return f"“{attribute.label}” cannot have this value: {bad}."
    if stored != value:
        return f"Write the value of “{attribute.label}” as it is stored: {stored}."
    return ""


def fits(kind: str, value: d.Value) -> bool:
    """Whether a property of an event of this kind can have the value."""
    match kind:
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "yes_no":
            return isinstance(value, bool)
    return isinstance(value, str)


def span_problems(step: str, place: str, span: d.Span) -> Iterator[Problem]:
    parts = (span.weeks, span.days, span.hours, span.minutes)
    minutes = graph.length(span)
    if any(part < 0 for part in parts):
        yield Problem(step, place, "Time does not run backward: give lengths above nothing.")
    elif minutes <= 0:
        yield Problem(step, place, "Give a length above nothing.")
    elif minutes > MAX_MINUTES:
        yield Problem(step, place, "Five years is the longest.")


def moment_problems(
    step: str, place: str, moment: d.Moment, trigger: d.AnyTrigger | None, names: Names
) -> Iterator[Problem]:
    """`trigger`: where a date of the event that let them in may be meant; None: of an attribute only."""
    if moment.attribute and moment.property:
        yield Problem(step, place, "A date is an attribute's or the event's, not both.")
    if moment.property and trigger is not None:
        kind = yield from property_problems(step, place, moment.property, trigger, names)
    elif moment.property:
        kind = ""
    else:
        yield from attribute_problems(step, place, moment.attribute, names)
        kind = names.attributes[moment.attribute].kind if moment.attribute in names.attributes else ""
    if kind and kind not in ("date", "datetime"):
        yield Problem(step, place, "This is no date. Choose a date, or a date with time.")
    if kind == "date" and not moment.at:
        yield Problem(step, f"{place}.at", "Say at which time of that day: a date has none of its own.")
    if moment.at and not TIME.match(moment.at):
        yield Problem(step, f"{place}.at", "Give the time of day as 10:00.")
    if moment.at and moment.minutes:
        yield Problem(step, f"{place}.minutes", "Either a time of that day, or minutes from the date's own time.")
    if abs(moment.days) > MAX_DAYS or abs(moment.minutes) > MAX_MINUTES:
        yield Problem(step, f"{place}.days", "Five years from the date is the farthest.")


def property_problems(
    step: str, place: str, name: str, trigger: d.AnyTrigger, names: Names
) -> Generator[Problem, None, str]:
    """Answers the kind of the property, "" where it is not known."""
    if not isinstance(trigger, d.ByEvent):
        yield Problem(step, place, "People do not come in by an event, so there is no property of one.")
        return ""
    event = names.event(trigger.event)
    if event is None:
        return ""
    if name not in event.properties:
        yield Problem(step, place, f"The event that lets people in has no property “{name[:60]}”.")
        return ""
    return event.properties[name]
