"""Ready-made journeys: each a draft to look at, change and publish, with the mails and events it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.policy import Role
from audit.commands import record
from contacts.models import Kind
from core.actors import By
from workflows import commands
from workflows.errors import NotComplete
from workflows.models import Workflow
from workflows.ready.parts import Json, Parts, moment

UNSUBSCRIBED: Json = {"kind": "unsubscribed"}


@dataclass(frozen=True, slots=True)
class Ready:
    """One of them: what staff read before they take it, and how it is made."""

    key: str
    name: str
    text: str
    icon: str
    build: Callable[[Parts], Json]


def _to(step: Json, **exits: str) -> Json:
    return {**step, "exits": exits}


def _definition(start: str, trigger: Json, steps: dict[str, Json], **more: Any) -> Json:
    return {"version": 1, "trigger": trigger, "start": start, "steps": steps, **more}


END: Json = {"kind": "end"}


def _reminders(parts: Parts) -> UUID:
    return parts.topic("Care reminders", "Reminders", requires_opt_in=False)


def _tips(parts: Parts) -> UUID:
    return parts.topic("Health tips and classes", "News and tips", requires_opt_in=True)


def appointment(parts: Parts) -> Json:
    topic = _reminders(parts)
    visit = parts.attribute("next_visit_at", "Next visit", Kind.DATETIME)
    confirmed = parts.event("appointment_confirmed", "Appointment confirmed")
    cancelled = parts.event("appointment_cancelled", "Appointment cancelled")
    steps = {
        "remind": _to(parts.mail("visit", topic), next="answer"),
        "answer": _to(
            {
                "kind": "wait_event", "name": "Do they confirm?", "event": confirmed, "same_key": False,
                "timeout": {"days": 2},
            },
            happened="done", timeout="again",
        ),
        "again": _to(parts.mail("visit_again", topic), next="done"),
        "done": END,
    }  # fmt: skip
    return _definition(
        "remind",
        {"kind": "date", "moment": moment(visit, -3), "late": "enter"},
        steps,
        reentry={"kind": "per_key"},
        exits=[UNSUBSCRIBED, {"kind": "event", "event": cancelled, "same_key": False}],
    )


def refill(parts: Parts) -> Json:
    topic = _reminders(parts)
    filled = parts.event("prescription_filled", "Prescription filled", runs_out_on="date")
    refilled = parts.event("prescription_refilled", "Prescription refilled")
    steps = {
        "until": _to(
            {"kind": "wait_until", "name": "A week before it runs out", "moment": moment("event.runs_out_on", -7)},
            next="remind", past="late",
        ),
        "late": _to(
            {"kind": "wait_until", "name": "Or the day it runs out", "moment": moment("event.runs_out_on", 0)},
            next="remind", past="done",
        ),
        "remind": _to(parts.mail("refill", topic), next="order"),
        "order": _to(
            {"kind": "wait_event", "name": "Do they order?", "event": refilled, "timeout": {"days": 5}},
            happened="done", timeout="again",
        ),
        "again": _to(parts.mail("refill_again", topic), next="done"),
        "done": END,
    }  # fmt: skip
    return _definition(
        "until",
        {"kind": "event", "event": filled},
        steps,
        reentry={"kind": "per_key"},
        exits=[UNSUBSCRIBED, {"kind": "event", "event": refilled}],
    )


def screening(parts: Parts) -> Json:
    topic = _reminders(parts)
    done = parts.attribute("procedures", "Procedures", Kind.CODED)
    due = parts.segment(
        "Mammogram due",
        {"attribute": "sex", "op": "is", "value": "female"},
        {"attribute": "birth_date", "op": "age_between", "value": {"from": 50, "to": 74}},
        {"attribute": done, "op": "has_none", "value": ["77067"], "when": {"in_last": {"years": 2}}},
    )
    had = {"attribute": done, "op": "has", "value": ["77067"], "when": {"in_last": {"months": 3}}}
    goal = {"kind": "goal", "rule": {"version": 2, "root": {"all": [had]}}, "name": "Had the screening"}
    steps = {
        "morning": _to(
            {"kind": "wait_weekday", "name": "A weekday morning", "weekdays": [1, 2, 3], "at": "10:00"}, next="invite"
        ),
        "invite": _to(parts.mail("screening", topic), next="weeks"),
        "weeks": _to({"kind": "wait", "name": "Three weeks", "span": {"weeks": 3}}, next="again"),
        "again": _to(parts.mail("screening_again", topic), next="month", refused="call"),
        "month": _to({"kind": "wait", "name": "A month", "span": {"weeks": 4}}, next="call"),
        "call": _to(
            {
                "kind": "tell", "name": "Somebody calls", "role": Role.MARKETER.value,
                "text": "A mammogram is due, and mails have not brought one about. Please call.",
            },
            next="done",
        ),
        "done": END,
    }  # fmt: skip
    return _definition(
        "morning",
        {"kind": "segment", "segment": str(due)},
        steps,
        reentry={"kind": "after_days", "days": 365},
        exits=[UNSUBSCRIBED, goal],
    )


def welcome(parts: Parts) -> Json:
    topic = _tips(parts)
    steps = {
        "hello": _to(parts.mail("welcome", topic, track_clicks=True), next="days"),
        "days": _to({"kind": "wait", "name": "Four days", "span": {"days": 4}}, next="morning"),
        "morning": _to({"kind": "wait_weekday", "name": "At ten", "at": "10:00"}, next="half"),
        "half": _to(
            {
                "kind": "split", "name": "Which second mail?", "seed": 1,
                "shares": [{"percent": 50, "name": "The people"}, {"percent": 50, "name": "Five things"}],
            },
            **{"1": "people", "2": "help"},
        ),
        "people": _to(parts.mail("welcome_people", topic, track_clicks=True), next="done"),
        "help": _to(parts.mail("welcome_help", topic, track_clicks=True), next="done"),
        "done": END,
    }  # fmt: skip
    return _definition("hello", {"kind": "consent", "topic": str(topic), "change": "given"}, steps)


def reengage(parts: Parts) -> Json:
    topic = _tips(parts)
    months = {"in_last": {"months": 6}}
    quiet = parts.segment(
        "Asked for tips, reads none",
        {"topic": str(topic), "op": "opted_in"},
        {"event": "received", "op": "did", "mailing": None, "when": months},
        {"event": "opened", "op": "did_not", "mailing": None, "when": months},
    )
    rest = parts.people("Written to less often")
    reads = {"event": "opened", "op": "did", "mailing": None, "when": {"in_last": {"months": 1}}}
    goal = {"kind": "goal", "rule": {"version": 2, "root": {"all": [reads]}}, "name": "Reads again"}
    steps = {
        "morning": _to(
            {"kind": "wait_weekday", "name": "A weekday morning", "weekdays": [0, 1, 2, 3, 4], "at": "10:00"},
            next="ask",
        ),
        "ask": _to(parts.mail("still", topic, track_opens=True, track_clicks=True), next="days"),
        "days": _to({"kind": "wait", "name": "Ten days", "span": {"days": 10}}, next="looked"),
        "looked": _to(
            {"kind": "branch_mail", "name": "Did they look?", "mail": "ask", "cases": ["clicked", "opened"]},
            **{"clicked": "done", "opened": "done", "else": "last"},
        ),
        "last": _to(parts.mail("goodbye", topic, track_opens=True, track_clicks=True), next="weeks"),
        "weeks": _to({"kind": "wait", "name": "Two weeks", "span": {"weeks": 2}}, next="rest"),
        "rest": _to({"kind": "list", "name": "Write less", "segment": str(rest), "change": "add"}, next="done"),
        "done": END,
    }
    return _definition(
        "morning",
        {"kind": "segment", "segment": str(quiet)},
        steps,
        reentry={"kind": "after_days", "days": 365},
        exits=[UNSUBSCRIBED, goal],
    )


def survey(parts: Parts) -> Json:
    topic = parts.topic("Satisfaction surveys", "Surveys", requires_opt_in=False)
    visited = parts.event("visit_completed", "Visit completed", provider="text")
    answered = parts.event("survey_answered", "Survey answered")
    steps = {
        "day": _to({"kind": "wait", "name": "A day", "span": {"days": 1}}, next="afternoon"),
        "afternoon": _to(
            {"kind": "wait_weekday", "name": "A weekday afternoon", "weekdays": [0, 1, 2, 3, 4], "at": "16:00"},
            next="ask",
        ),
        "ask": _to(parts.mail("survey", topic), next="answer"),
        "answer": _to(
            {"kind": "wait_event", "name": "Do they answer?", "event": answered, "timeout": {"days": 5}},
            happened="done",
            timeout="again",
        ),
        "again": _to(parts.mail("survey_again", topic), next="done"),
        "done": END,
    }
    return _definition(
        "day",
        {"kind": "event", "event": visited},
        steps,
        reentry={"kind": "after_days", "days": 30},
        exits=[UNSUBSCRIBED, {"kind": "event", "event": answered}],
    )


def plan(parts: Parts) -> Json:
    topic = _reminders(parts)
    begun = parts.event("plan_application_started", "Plan application begun", deadline="date", plan="text")
    sent = parts.event("plan_application_submitted", "Plan application submitted")
    steps = {
        "first": _to(parts.mail("plan", topic), next="two"),
        "two": _to(
            {"kind": "wait_until", "name": "Two weeks before", "moment": moment("event.deadline", -14)},
            next="soon", past="three",
        ),
        "soon": _to(parts.mail("plan_soon", topic), next="three"),
        "three": _to(
            {"kind": "wait_until", "name": "Three days before", "moment": moment("event.deadline", -3)},
            next="last", past="call",
        ),
        "last": _to(parts.mail("plan_last", topic), next="day"),
        "day": _to(
            {"kind": "wait_until", "name": "The last morning", "moment": moment("event.deadline", 0, "08:00")},
            next="call",
        ),
        "call": _to(
            {
                "kind": "tell", "name": "Somebody helps", "role": Role.MARKETER.value,
                "text": "The deadline is here and the plan application is not in. Please call and help to finish it.",
            },
            next="done",
        ),
        "done": END,
    }  # fmt: skip
    return _definition(
        "first",
        {"kind": "event", "event": begun},
        steps,
        reentry={"kind": "per_key"},
        exits=[UNSUBSCRIBED, {"kind": "event", "event": sent}],
    )


READY: tuple[Ready, ...] = (
    Ready(
        "appointment", "Appointment reminder",
        "Three days before the visit, at ten in the patient’s morning; a second mail two days later to who has not "
        "confirmed. Ends when the appointment is cancelled.",
        "calendar", appointment,
    ),
    Ready(
        "refill", "Refill reminder",
        "A week before a prescription runs out, and again five days later if it was not refilled.",
        "history", refill,
    ),
    Ready(
        "screening", "Screening gap",
        "Invites women of 50 to 74 without a mammogram in two years, asks again after three weeks, then has somebody "
        "call. Ends when the screening is on record.",
        "compliance", screening,
    ),
    Ready(
        "welcome", "Welcome after opting in",
        "Greets who said yes to your tips (by double opt-in: when they confirm), and tries two second mails against "
        "each other.",
        "people", welcome,
    ),
    Ready(
        "reengage", "Re-engagement",
        "Asks who reads nothing for half a year whether to go on; who stays silent is put on a list and written to "
        "less.",
        "mailbox", reengage,
    ),
    Ready(
        "survey", "After-visit survey",
        "A day after the visit, on a weekday afternoon; once more five days later to who has not answered.",
        "chart", survey,
    ),
    Ready(
        "plan", "Plan enrolment",
        "Accompanies an application for a health plan: what is needed, two weeks left, last days; then has somebody "
        "help. Ends when it is submitted.",
        "check", plan,
    ),
)  # fmt: skip
BY_KEY = {one.key: one for one in READY}


@transaction.atomic
def start(key: str, *, by: By, name: str = "") -> Workflow:
    """A new draft of this one, with the templates, topics, events, attributes and segments that are missing."""
    ready = BY_KEY.get(key)
    if ready is None:
        raise NotComplete("There is no such ready-made journey. Choose one of the list, or begin with an empty one.")
    definition = ready.build(Parts(by))
    workflow = commands.create(name=name or ready.name, description=ready.text, definition=definition, by=by)
    record("workflow.taken_ready_made", by=by, target=workflow, ready=key)
    return workflow
