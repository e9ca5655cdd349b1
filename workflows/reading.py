"""What was set in a panel, read back as a sentence. Pure."""

from workflows.language import definition as d
from workflows.language import words
from workflows.language.names import Names

THERE = "in the time zone of each person"


def step_sentence(step: d.AnyStep, names: Names) -> str:  # noqa: PLR0911  one case a kind
    """For example: Stay until 3 days before Next visit at 10:00, in the time zone of each person."""
    said = words.step_summary(step, names)
    match step:
        case d.Mail():
            if step.template is None:
                return "No template chosen yet."
            sender = names.senders.get(step.sender) if step.sender else None
            return f"Send {said}{f', from {sender.name}' if sender else ''}."
        case d.Wait():
            return f"Stay for {said}, then go on."
        case d.WaitUntil():
            at_once = "" if "past" in step.exits else " Who has no such date, or for whom it is past, goes on at once."
            return f"Stay until {_lower(said)}, {THERE}.{at_once}"
        case d.WaitWeekday():
            return f"Stay until {said}, {THERE}."
        case d.WaitEvent():
            if not step.event and not step.attribute:
                return "Nothing chosen yet that is waited for."
            what = words.change(step, names) if step.attribute else f"“{words.event(step.event, names)}” happens"
            return f"Stay until {what}, at most {words.span(step.timeout)}."
        case d.Branch():
            return f"{_ways(len(step.cases))} by a rule, and one for everybody else."
        case d.BranchMail():
            return f"Ask whether the mail was {_or(said)}." if step.mail else "No mail chosen yet to ask about."
        case d.End():
            return "They leave the journey here."
        case d.Goal():
            return (
                f"Leave here, having reached the goal: {said}" if step.rule else "No rule yet: nobody reaches the goal."
            )
    return f"{words.kind_title(step)}: {said}{'' if said.endswith('.') else '.'}"


def trigger_sentence(trigger: d.AnyTrigger, names: Names) -> str:  # noqa: PLR0911  one case a kind
    """For example: They enter 3 days before Next visit at 10:00, in the time zone of each person."""
    said = words.trigger_summary(trigger, names)
    match trigger:
        case d.ByDate():
            return f"They enter {_lower(said)}{', every year' if trigger.yearly else ''}, {THERE}."
        case d.ByEvent():
            return f"They enter when “{said}” happens."
        case d.BySegment():
            return f"They enter when they {'leave' if trigger.change == 'leaves' else 'come into'} {said}."
        case d.ByAttribute():
            return f"They enter when {said}."
        case d.ByConsent():
            return f"They enter when consent to {said} is {trigger.change}."
        case d.ByEngagement():
            return f"They enter when they {'open' if trigger.event == 'opened' else 'click in'} {_lower(said)}."
        case d.BySent():
            return f"They enter when {said} was sent to them."
    return "They enter by hand, by a list, by the API or from another journey."


def rules_sentence(definition: d.Definition, names: Names) -> str:
    """For example: Once for each event or date. They leave when …"""
    ends = "; ".join(_exit(way, names) for way in definition.exits)
    out = f"Out early: {ends}." if ends else "Nothing takes them out early."
    return f"{words.reentry_label(definition.reentry)}. {out}"


def _ways(number: int) -> str:
    return f"{number} way{'' if number == 1 else 's'}"


def _exit(way: d.AnyExit, names: Names) -> str:
    if isinstance(way, d.GoalExit) and not way.rule:
        return f"goal{f' “{way.name}”' if way.name else ''}, without a rule yet"
    return words.exit_label(way, names).rstrip(".")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[:3] in ("On ", "Any") else text


def _or(listed: str) -> str:
    before, _, last = listed.rpartition(", ")
    return f"{before} or {last}" if before else last
