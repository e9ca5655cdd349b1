"""How a journey reads: titles, summaries and ways out for canvas, lists and the path of a person. Pure."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from accounts.policy import Role
from core.sensitivity import Sensitivity
from workflows.language import definition as d
from workflows.language import graph
from workflows.language.names import Names
from workflows.step import Left, Note

__all__ = ["Names"]

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_TITLES: dict[type[d.Step], str] = {
    d.Mail: "Send a mail",
    d.Wait: "Wait",
    d.WaitUntil: "Wait for a date",
    d.WaitWeekday: "Wait for a weekday",
    d.WaitEvent: "Wait for an event",
    d.Branch: "Branch",
    d.BranchMail: "Branch on a mail",
    d.Split: "Split by chance",
    d.SetAttribute: "Set an attribute",
    d.ChangeList: "Add to a list",
    d.Webhook: "Call another system",
    d.Tell: "Tell staff",
    d.Enter: "Enter another journey",
    d.Goal: "Goal",
    d.End: "End",
}
MAIL_WAYS = {
    "clicked": "Clicked",
    "opened": "Opened",
    "sent": "Was sent",
    "refused": "Was refused",
    "failed": "Failed",
}
_NOTES = {
    Note.SENT: "Sent",
    Note.UNKNOWN: "Probably sent: the connection broke after it was handed over",
    Note.REFUSED: "Not sent: refused",
    Note.FAILED: "Failed",
    Note.CANCELLED: "Not sent: cancelled",
    Note.SKIPPED: "Skipped",
    Note.WAITED: "Waited as long as it says",
    Note.PAST: "The moment had passed",
    Note.NO_DATE: "There was no date",
    Note.HAPPENED: "It happened",
    Note.TIMEOUT: "It did not happen in time",
    Note.CHOSEN: "",
    Note.DONE: "Done",
}
_LEFT = {
    Left.END: "Came to the end",
    Left.GOAL: "Reached the goal",
    Left.UNSUBSCRIBED: "Unsubscribed",
    Left.SEGMENT_LEFT: "Left the segment",
    Left.EVENT: "An event took them out",
    Left.REMOVED: "Taken off by staff",
    Left.MOVED: "Taken out when a new version came",
    Left.DELETED: "The contact was deleted",
    Left.STOPPED: "The journey was stopped",
}
REENTRY = {
    "never": "Once only",
    "after_leaving": "Again after leaving",
    "after_days": "Again after some days",
    "per_key": "Once for each event or date",
}


# -- steps ---------------------------------------------------------------------------------------------------------


def kind_title(step: d.AnyStep) -> str:
    """What the step does, by its kind."""
    match step:
        case d.WaitEvent() if step.attribute:
            return "Wait for a change"
        case d.ChangeList(change="remove"):
            return "Take off a list"
        case d.SetAttribute() if step.attribute and step.value is None and not step.property:
            return "Clear an attribute"
    return _TITLES[type(step)]


def step_title(step: d.AnyStep) -> str:
    """What the step is called, or what it does."""
    return step.name or kind_title(step)


def titles(definition: d.Definition) -> dict[str, str]:
    """What each step is called, in the order of reading; those called alike with their place in it, as on the map."""
    order = graph.order(definition)
    called = {step: step_title(definition.steps[step]) for step in order}
    often = Counter(called.values())
    return {
        step: f"{called[step]} (step {n})" if often[called[step]] > 1 else called[step]
        for n, step in enumerate(order, 1)
    }


def step_summary(step: d.AnyStep, names: Names) -> str:  # noqa: PLR0911, PLR0912  one case a kind
    """In one line what it does, with the names of what it names."""
    match step:
        case d.Mail():
            topic = f" · {names.catalog.topics.get(step.topic, 'a removed topic')}" if step.topic else ""
            return f"{template(step.template, names)}{topic}"
        case d.Wait():
            return span(step.span)
        case d.WaitUntil():
            return moment(step.moment, names)
        case d.WaitWeekday():
            return f"{weekdays(step.weekdays)} at {step.at}"
        case d.WaitEvent():
            what = change(step, names) if step.attribute else event(step.event, names)
            return f"{what}, at most {span(step.timeout)}"
        case d.Branch():
            return "; ".join(case.name or _rule(case.rule, names) for case in step.cases) or "No rule yet"
        case d.BranchMail():
            return ", ".join(MAIL_WAYS[case].lower() for case in step.cases)
        case d.Split():
            return " / ".join(f"{share.percent:g} %" for share in step.shares)
        case d.SetAttribute():
            return _set(step, names)
        case d.ChangeList():
            return segment(step.segment, names)
        case d.Webhook():
            known = names.endpoints.get(step.endpoint) if step.endpoint else None
            return known.name if known else _chosen(step.endpoint, "endpoint")
        case d.Tell():
            whom = names.users.get(step.user, "somebody not on staff any more") if step.user else _role(step.role)
            return f"{whom}: {step.text}" if step.text else whom
        case d.Enter():
            journey = names.workflows.get(step.workflow) if step.workflow else None
            return f"“{journey.name}”" if journey else _chosen(step.workflow, "journey")
        case d.Goal():
            return names.sentence(step.rule) if step.rule is not None else "No rule yet"
        case d.End():
            return "They leave the journey"


def way_label(step: d.AnyStep, way: str) -> str:  # noqa: PLR0911  one case a kind
    """What stands on the line that leaves the step by this way."""
    match step:
        case d.Mail():
            return {"next": "Sent", "refused": "Not sent"}.get(way, way)
        case d.WaitUntil():
            return {"next": "At that time", "past": "No date, or past"}.get(way, way)
        case d.WaitEvent():
            return {"happened": "Happened", "timeout": f"Not within {span(step.timeout)}"}.get(way, way)
        case d.Branch() if way.isdecimal() and 1 <= int(way) <= len(step.cases):
            return step.cases[int(way) - 1].name or f"Rule {way}"
        case d.BranchMail() if way in MAIL_WAYS:
            return MAIL_WAYS[way]
        case d.Split() if way.isdecimal() and 1 <= int(way) <= len(step.shares):
            share = step.shares[int(way) - 1]
            return f"{share.percent:g} %{f' {share.name}' if share.name else ''}"
        case d.Webhook():
            return {"next": "Done", "failed": "Failed"}.get(way, way)
        case d.Goal():
            return "Not reached"
    return {"else": "Everybody else", "next": "Then"}.get(way, way)


def way_reason(step: d.AnyStep, way: str, names: Names) -> str:
    """Why somebody left by this way: for a branch the clause that held."""
    if isinstance(step, d.Branch):
        if way.isdecimal() and 1 <= int(way) <= len(step.cases):
            return names.sentence(step.cases[int(way) - 1].rule)
        return "None of the rules held."
    return way_label(step, way)


def note_label(note: str) -> str:
    """What happened, of Transition.note; where they left the journey there, why."""
    return _LEFT[Left(note)] if note in list(Left) else _NOTES.get(Note(note), "") if note in list(Note) else ""


def left_label(left: str) -> str:
    """Why somebody left, of Enrolment.left_because."""
    return _LEFT[Left(left)] if left in list(Left) else ""


# -- what lets people in and out -----------------------------------------------------------------------------------


def trigger_title(trigger: d.AnyTrigger) -> str:  # noqa: PLR0911  one case a kind
    match trigger:
        case d.BySegment():
            return "Leaves a segment" if trigger.change == "leaves" else "Enters a segment"
        case d.ByAttribute():
            return "An attribute changes"
        case d.ByDate():
            return "A date, every year" if trigger.yearly else "A date"
        case d.ByEvent():
            return "An event happens"
        case d.ByConsent():
            return "Consent withdrawn" if trigger.change == "withdrawn" else "Consent given"
        case d.ByEngagement():
            return "Opens a mail" if trigger.event == "opened" else "Clicks in a mail"
        case d.BySent():
            return "A campaign is sent"
        case d.ByHand():
            return "By hand, by a list or by the API"


def trigger_summary(trigger: d.AnyTrigger, names: Names) -> str:  # noqa: PLR0911  one case a kind
    match trigger:
        case d.BySegment():
            return segment(trigger.segment, names)
        case d.ByAttribute():
            return change(trigger, names)
        case d.ByDate():
            return moment(trigger.moment, names)
        case d.ByEvent():
            asked = (f"{p.property} is {_values(p.values)}" for p in trigger.where)
            return ", ".join((event(trigger.event, names), *asked))
        case d.ByConsent():
            return names.catalog.topics.get(trigger.topic, "a removed topic")
        case d.ByEngagement() | d.BySent():
            return mailing(trigger.mailing, names)
        case d.ByHand():
            about = Sensitivity(trigger.chosen_by)
            return "Staff put them on it" + (
                f", chosen by {about.label.lower()}" if about != Sensitivity.IDENTITY else ""
            )


def exit_label(way: d.AnyExit, names: Names) -> str:
    match way:
        case d.Unsubscribed():
            return "Unsubscribes from everything, or from a topic of one of the mails"
        case d.SegmentLeft():
            return f"Is no longer in {segment(way.segment, names)}"
        case d.EventExit():
            return f"{event(way.event, names)} happens{', about the one they entered for' if way.same_key else ''}"
        case d.GoalExit():
            return f"Goal{f' “{way.name}”' if way.name else ''}: {names.sentence(way.rule)}"


def reentry_label(reentry: d.Reentry) -> str:
    if reentry.kind == "after_days":
        return f"Again {_count(reentry.days, 'day')} after they last entered, once they are out"
    return REENTRY[reentry.kind]


def has_goal(definition: d.Definition) -> bool:
    return any(isinstance(part, d.GoalExit | d.Goal) for part in (*definition.exits, *definition.steps.values()))


# -- parts ---------------------------------------------------------------------------------------------------------


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def span(length: d.Span) -> str:
    """For example: 2 days and 3 hours."""
    units = ((length.weeks, "week"), (length.days, "day"), (length.hours, "hour"), (length.minutes, "minute"))
    parts = [_count(number, unit) for number, unit in units if number]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0] if parts else "no time"


def moment(wanted: d.Moment, names: Names) -> str:
    """For example: 3 days before Appointment at 10:00."""
    chosen = attribute(wanted.attribute, names) if wanted.attribute else "a date not chosen yet"
    date = f"“{wanted.property}” of the event" if wanted.property else chosen
    away = d.Span(days=abs(wanted.days), hours=abs(wanted.minutes) // 60, minutes=abs(wanted.minutes) % 60)
    signs = {number > 0 for number in (wanted.days, wanted.minutes) if number}
    if not signs:
        said = f"On {date}"
    elif len(signs) == 1:
        said = f"{span(away)} {'after' if signs.pop() else 'before'} {date}"
    else:
        days = f"{_count(abs(wanted.days), 'day')} {'after' if wanted.days > 0 else 'before'} {date}"
        rest = span(d.Span(hours=abs(wanted.minutes) // 60, minutes=abs(wanted.minutes) % 60))
        said = f"{rest} {'after' if wanted.minutes > 0 else 'before'} the moment {days}"
    return f"{said} at {wanted.at}" if wanted.at else said


def weekdays(days: d.Days) -> str:
    """For example: Monday to Friday."""
    held = sorted({day for day in days if 0 <= day <= 6})
    if not held or len(held) == 7:
        return "Any day"
    if len(held) > 2 and held == list(range(held[0], held[-1] + 1)):
        return f"{_WEEKDAYS[held[0]]} to {_WEEKDAYS[held[-1]]}"
    return _or([_WEEKDAYS[day] for day in held])


def _or(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} or {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _values(values: Sequence[d.Value]) -> str:
    return _or([value_label(value) for value in values])


def value_label(value: d.Value) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"“{value}”" if isinstance(value, str) else f"{value:g}"


def change(node: d.ByAttribute | d.WaitEvent, names: Names) -> str:
    """For example: State changes from “MA” to “NH”."""
    was = f" from {_values(node.was)}" if node.was else ""
    becomes = f" to {_values(node.becomes)}" if node.becomes else ""
    return f"{attribute(node.attribute, names)} changes{was}{becomes}"


def _chosen(chosen: object, what: str) -> str:
    return f"{'An' if what[0] in 'aeiou' else 'A'} {what} that is gone" if chosen else f"No {what} chosen yet"


def attribute(key: str, names: Names) -> str:
    if key in names.attributes:
        return names.attributes[key].label
    removed = names.catalog.removed.get(key)
    return f"{removed[0]} (removed)" if removed else key or "no attribute chosen yet"


def template(chosen: UUID | None, names: Names) -> str:
    known = names.templates.get(chosen) if chosen else None
    return f"“{known.name}”" if known else _chosen(chosen, "template")


def segment(chosen: UUID | None, names: Names) -> str:
    try:
        return f"“{names.catalog.segments[chosen].name}”" if chosen else _chosen(chosen, "segment")
    except KeyError:
        return _chosen(chosen, "segment")


def mailing(chosen: UUID | None, names: Names) -> str:
    if chosen is None:
        return "Any campaign"
    known = names.catalog.mailings.get(chosen)
    return known.label if known else _chosen(chosen, "campaign")


def event(name: str, names: Names) -> str:
    known = names.event(name)
    return (known.label or known.name) if known else name or "No event chosen yet"


def _rule(rule: object, names: Names) -> str:
    """A rule as people read it; of one nobody has begun, that there is none."""
    drawn = rule.get("root") if isinstance(rule, dict) else None
    return names.sentence(rule) if drawn else "No rule yet"


def _role(role: str) -> str:
    return f"Everybody of role {Role(role).label.lower()}" if role in list(Role) else "Nobody chosen yet"


def _set(step: d.SetAttribute, names: Names) -> str:
    what = attribute(step.attribute, names)
    if step.property:
        return f"{what} to “{step.property}” of the event"
    return what if step.value is None else f"{what} to {value_label(step.value)}"
