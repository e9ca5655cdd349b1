"""Journeys for tests, published and live without the pages.

`linear(wait(days=2), mail(), end())` is a definition; `make_workflow(...)` a journey that runs it. Step ids are the
keys of a graph, or "s1", "s2", … of a linear one. People: tests.contacts.factories.make_people.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.models import User
from campaigns.models import Campaign
from consent.models import Topic
from contacts.models import Contact
from content.models import Template
from core import clock
from core.actors import SYSTEM
from delivery.models import Sender
from segments.models import Segment
from tests.campaigns.factories import EVERYBODY, CampaignFactory, SegmentFactory, approver, marketer
from tests.consent.factories import TopicFactory
from tests.contacts.factories import AttributeFactory, make_people, make_person
from tests.content.factories import TemplateFactory, organization
from tests.delivery.factories import RelayFactory, SenderFactory
from workflows import commands
from workflows.models import Enrolment, Workflow, WorkflowVersion
from workflows.versions import publishing

Json = dict[str, Any]


def rule(*clauses: Json, match: str = "all") -> Json:
    """A rule of the segment language of these clauses."""
    return {"version": 1, "root": {match: list(clauses)}}


# -- steps ------------------------------------------------------------------------------------------------------------


def mail(
    *, template: Template | None = None, sender: Sender | None = None, topic: Topic | None = None, **more: Any
) -> Json:
    """A mail step with a template, a sender and a topic nobody has to opt in to, all made unless given."""
    organization()
    sender = sender or Sender.objects.first() or SenderFactory()
    topic = topic or Topic.objects.filter(requires_opt_in=False).first() or TopicFactory(requires_opt_in=False)
    chosen = template or TemplateFactory()
    return {"kind": "mail", "template": str(chosen.pk), "sender": str(sender.pk), "topic": str(topic.pk), **more}


def wait(**span: int) -> Json:
    return {"kind": "wait", "span": span or {"days": 1}}


def wait_until(attribute: str, *, days: int = 0, at: str = "", **more: Any) -> Json:
    return {"kind": "wait_until", "moment": {"attribute": attribute, "days": days, "at": at}, **more}


def branch(*rules: Json, **more: Any) -> Json:
    return {"kind": "branch", "cases": [{"rule": one} for one in rules], **more}


def end() -> Json:
    return {"kind": "end"}


# -- definitions ------------------------------------------------------------------------------------------------------


def graph(start: str, steps: dict[str, Json], **more: Any) -> Json:
    """A definition of these steps; `more`: trigger, only, reentry, exits. By hand unless said otherwise."""
    return {"version": 1, "trigger": {"kind": "manual"}, "start": start, "steps": steps, **more}


def linear(*steps: Json, **more: Any) -> Json:
    """Steps "s1", "s2", … one after the other, by their first way out."""
    keyed: dict[str, Json] = {}
    for n, step in enumerate(steps, 1):
        exits = {} if step["kind"] == "end" or n == len(steps) else {"next": f"s{n + 1}"}
        keyed[f"s{n}"] = {**step, "exits": {**exits, **step.get("exits", {})}}
    return graph("s1", keyed, **more)


# -- journeys ---------------------------------------------------------------------------------------------------------


def make_workflow(definition: Json | None = None, *, name: str = "A journey", by: User | None = None) -> Workflow:
    """A journey that runs: published by one person and, where it has to be, approved by another."""
    workflow = commands.create(name=name, definition=definition or linear(wait(days=1), end()), by=by or marketer())
    publish(workflow)
    workflow.refresh_from_db()
    return workflow


def make_draft(definition: Json | None = None, *, name: str = "A journey", by: User | None = None) -> Workflow:
    return commands.create(name=name, definition=definition or linear(wait(days=1), end()), by=by or marketer())


def publish(workflow: Workflow, definition: Json | None = None, *, plan: Any = None) -> WorkflowVersion:
    """The draft (or this definition as the draft) as the live version."""
    if definition is not None:
        workflow = commands.save_draft(workflow, definition, revision=None, by=SYSTEM)
    version = publishing.publish(workflow, plan=plan, by=marketer())
    if version.state == WorkflowVersion.State.PROPOSED:
        version = publishing.approve(version, by=approver(), seen=bytes(version.digest))
    return version


def live(workflow: Workflow) -> WorkflowVersion:
    return workflow.versions.get(state=WorkflowVersion.State.LIVE)


def place(
    workflow: Workflow, people: Sequence[UUID], *, step: str | None = None, at: datetime | None = None, **fields: Any
) -> list[Enrolment]:
    """These people on the live version at this step (the first unless said), without asking who may enter."""
    version, now = live(workflow), at or clock.now()
    numbers = dict(Contact.objects.filter(pk__in=people).values_list("pk", "number"))
    where: str = step or str(version.definition["start"])
    given = {"entered_at": now, "since": now, "wake_at": now, "step": where, **fields}
    return Enrolment.objects.bulk_create(
        Enrolment(workflow=workflow, version=version, contact_id=who, contact_number=numbers[who], **given)
        for who in people
    )


__all__ = [
    "EVERYBODY",
    "AttributeFactory",
    "Campaign",
    "CampaignFactory",
    "RelayFactory",
    "Segment",
    "SegmentFactory",
    "SenderFactory",
    "TemplateFactory",
    "TopicFactory",
    "approver",
    "branch",
    "end",
    "graph",
    "linear",
    "live",
    "mail",
    "make_draft",
    "make_people",
    "make_person",
    "make_workflow",
    "marketer",
    "organization",
    "place",
    "publish",
    "rule",
    "wait",
    "wait_until",
]
