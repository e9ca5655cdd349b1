"""Reading journeys: lists, what an approver must see, what differs between two versions."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet

from contacts.models import Attribute
from content.models import TemplateVersion
from content.preview import Preview, all_personas, preview
from segments import queries as segments
from segments.errors import RuleError
from workflows.language import naming, words
from workflows.language.definition import AnyStep, Branch, Definition, Mail, Moment, SetAttribute, from_json, ways_out
from workflows.language.graph import order
from workflows.language.names import Names
from workflows.models import Enrolment, Simulation, Workflow, WorkflowVersion
from workflows.versions import approval

#: The personas an approver reads the mails as; the others are a click away.
SHOWN = ("typical", "missing", "longest")


def workflows() -> "QuerySet[Workflow]":
    """Journeys in use, the latest changed first."""
    return Workflow.objects.filter(archived_at=None).order_by("-updated_at", "-pk")


def archived() -> "QuerySet[Workflow]":
    return Workflow.objects.filter(archived_at__isnull=False).order_by("-archived_at", "-pk")


def live_version(workflow: Workflow) -> WorkflowVersion | None:
    return workflow.versions.filter(state=WorkflowVersion.State.LIVE).first()


def shown_version(workflow: Workflow) -> WorkflowVersion | None:
    """The live version; of a stopped journey the last that was."""
    return workflow.versions.filter(state__in=["LIVE", "CLOSED"]).order_by("-number").first()


def proposed(workflow: Workflow) -> WorkflowVersion | None:
    return workflow.versions.filter(state=WorkflowVersion.State.PROPOSED).first()


def awaiting_approval() -> "QuerySet[WorkflowVersion]":
    rows = WorkflowVersion.objects.filter(state=WorkflowVersion.State.PROPOSED)
    return rows.select_related("workflow").order_by("proposed_at")


def simulated(workflow: Workflow, definition: Any) -> Simulation | None:
    """The latest simulation of exactly this definition (JSON), if one of the last ten is: what it would do, and to how
    many."""
    finished = workflow.simulations.filter(state=Simulation.State.FINISHED).order_by("-created_at")
    return next((one for one in finished[:10] if one.definition == definition), None)


def stuck() -> "QuerySet[Enrolment]":
    return Enrolment.objects.filter(status=Enrolment.Status.ATTENTION)


def with_trouble() -> list[tuple[Workflow, int]]:
    """Journeys with people who cannot go on, and how many, most first. Two statements."""
    counted = dict(stuck().order_by().values_list("workflow").annotate(n=Count("pk")))
    found = Workflow.objects.in_bulk(counted)
    return sorted(((found[pk], people) for pk, people in counted.items()), key=lambda pair: -pair[1])


def held() -> "QuerySet[Workflow]":
    """Running journeys on which nobody goes on, as what was approved is not what stands."""
    return Workflow.objects.exclude(trouble="").exclude(state=Workflow.State.STOPPED)


def sent_back(author: UUID) -> "QuerySet[WorkflowVersion]":
    """Versions this person proposed and that came back, where nothing was proposed since."""
    rows = WorkflowVersion.objects.filter(state=WorkflowVersion.State.RETURNED, proposed_by=author)
    later = WorkflowVersion.objects.filter(workflow=OuterRef("workflow"), number__gt=OuterRef("number"))
    return rows.filter(~Exists(later), workflow__archived_at=None).select_related("workflow")


@dataclass(frozen=True, slots=True)
class MailShown:
    """A mail as an approver reads it."""

    step: str
    title: str
    version: TemplateVersion
    renders: list[Preview]
    topic: str
    sender: str
    tracking: str


@dataclass(frozen=True, slots=True)
class Review:
    """What an approver decides on (SND-08)."""

    digest: bytes
    trigger: str
    rules: list[tuple[str, str]]
    fields: list[Attribute]
    mails: list[MailShown]
    purposes: list[str]
    changes: list["Change"]
    before: WorkflowVersion | None
    outdated: bool


def review(version: WorkflowVersion) -> Review:
    """Everything a second person must see before approving, but for what becomes of people (Move)."""
    definition = from_json(version.definition)
    names = Names.load(definition)
    mails = _mails(version, definition, names)
    before = version.workflow.versions.filter(state__in=["LIVE", "CLOSED"], number__lt=version.number).first()
    keys = {key for mail in mails for key in mail.version.fields_used} | set(fields_of(definition))
    return Review(
        digest=bytes(version.digest),
        trigger=f"{words.trigger_title(definition.trigger)}: {words.trigger_summary(definition.trigger, names)}",
        rules=[
            *([("Only", names.sentence(definition.only))] if definition.only is not None else []),
            ("May enter", words.reentry_label(definition.reentry)),
            *(("Leaves early", words.exit_label(way, names)) for way in definition.exits),
        ],
        fields=list(Attribute.objects.filter(key__in=keys)),
        mails=mails,
        purposes=sorted({mail.version.get_purpose_display() for mail in mails}),
        changes=differences(before, version) if before else [],
        before=before,
        outdated=approval.digest_now(version, definition) != bytes(version.digest),
    )


def fields_of(definition: Definition) -> list[str]:
    """Keys of the attributes that let in, sort and take out people."""
    keys: set[str] = set()
    for rule in naming.rules_of(definition):
        try:
            keys |= set(segments.fields_of(rule))
        except RuleError:
            continue
    for part in (definition.trigger, *definition.steps.values()):
        moment: Moment | None = getattr(part, "moment", None)
        if not isinstance(part, SetAttribute):
            keys.add(getattr(part, "attribute", ""))
        keys |= {moment.attribute} if moment else set()
    return sorted(keys - {""})


def _mails(version: WorkflowVersion, definition: Definition, names: Names) -> list[MailShown]:
    frozen = {mail.step: mail.template_version for mail in version.mails.select_related("template_version__template")}
    people = [who for who in all_personas() if who.key in SHOWN]
    shown: dict[UUID, list[Preview]] = {}
    found = []
    titles = words.titles(definition)
    for key in order(definition):
        step = definition.steps[key]
        if not isinstance(step, Mail) or key not in frozen:
            continue
        mail = frozen[key]
        if mail.pk not in shown:
            shown[mail.pk] = [preview(mail, who) for who in people]
        sender = names.senders.get(step.sender) if step.sender else None
        topic = names.catalog.topics.get(step.topic, "") if step.topic else ""
        counted = [what for what, on in (("opens", step.track_opens), ("clicks", step.track_clicks)) if on]
        tracking = " and ".join(counted) or "neither opens nor clicks"
        found.append(
            MailShown(
                key,
                titles[key],
                mail,
                shown[mail.pk],
                topic or "none",
                sender.name if sender else "a sender that is gone",
                tracking,
            )
        )
    return found


# -- two versions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """What is different at one step; step "" is the journey's frame. `kind`: "added", "removed", "changed"."""

    kind: str
    step: str
    title: str
    details: list[str] = field(default_factory=list)


MAIL_PARTS = {
    "subject": "Its subject changed.",
    "preheader": "Its preview line changed.",
    "html": "Its body changed.",
    "text": "Its text part changed.",
    "purpose": "Its purpose under HIPAA changed.",
    "message_class": "Its class under CAN-SPAM changed.",
    "links": "Where its links lead changed.",
    "organization": "Your organization's name or address in it changed.",
}


def differences(old: WorkflowVersion, new: WorkflowVersion) -> list[Change]:
    """What changed between two versions, step by step, in the order in which people come by."""
    was, now = from_json(old.definition), from_json(new.definition)
    then, names = Names.load(was), Names.load(now)
    found = [change] if (change := _frame(was, now, then, names)) else []
    mails_then = {m.step: m.template_version for m in old.mails.select_related("template_version")}
    mails_now = {m.step: m.template_version for m in new.mails.select_related("template_version")}
    for key in order(now):
        step, before = now.steps[key], was.steps.get(key)
        title = words.step_title(step)
        if before is None or type(before) is not type(step):
            found.append(Change("added", key, title, [words.step_summary(step, names)]))
            continue
        details = _step(before, step, was, now, then, names)
        if key in mails_then and key in mails_now:
            a, b = mails_then[key], mails_now[key]
            details += [said for part, said in MAIL_PARTS.items() if getattr(a, part) != getattr(b, part)]
        if details:
            found.append(Change("changed", key, title, details))
    for key in order(was):
        if key not in now.steps or type(now.steps[key]) is not type(was.steps[key]):
            step = was.steps[key]
            found.append(Change("removed", key, words.step_title(step), [words.step_summary(step, then)]))
    return found


def _frame(was: Definition, now: Definition, then: Names, names: Names) -> Change | None:
    pairs: list[tuple[str, Any, Any]] = [
        ("Who enters", words.trigger_summary(was.trigger, then), words.trigger_summary(now.trigger, names)),
        (
            "Only",
            then.sentence(was.only) if was.only is not None else "everybody",
            names.sentence(now.only) if now.only is not None else "everybody",
        ),
        ("How often", words.reentry_label(was.reentry), words.reentry_label(now.reentry)),
        (
            "What takes out",
            "; ".join(words.exit_label(way, then) for way in was.exits) or "nothing",
            "; ".join(words.exit_label(way, names) for way in now.exits) or "nothing",
        ),
        ("First step", _called(was, was.start), _called(now, now.start)),
    ]
    details = [f"{what}: {a} → {b}" for what, a, b in pairs if a != b]
    if type(was.trigger) is not type(now.trigger):
        details.insert(0, f"Trigger: {words.trigger_title(was.trigger)} → {words.trigger_title(now.trigger)}")
    return Change("changed", "", "Who enters and leaves", details) if details else None


def _called(definition: Definition, key: str | None) -> str:
    step = definition.steps.get(key) if key else None
    return f"“{words.step_title(step)}”" if step is not None else "the end"


def _step(  # noqa: PLR0917
    before: AnyStep, step: AnyStep, was: Definition, now: Definition, then: Names, names: Names
) -> list[str]:
    details = []
    if before.name != step.name:
        details.append(f"Name: {words.step_title(before)} → {words.step_title(step)}")
    a, b = words.step_summary(before, then), words.step_summary(step, names)
    if a != b:
        details.append(f"{a} → {b}")
    elif _bare(before) != _bare(step):
        details.append("Its settings changed.")
    if isinstance(step, Branch) and isinstance(before, Branch):
        for n, case in enumerate(step.cases):
            if n < len(before.cases) and before.cases[n].rule != case.rule:
                rules = f"{then.sentence(before.cases[n].rule)} → {names.sentence(case.rule)}"
                details.append(f"{words.way_label(step, str(n + 1))}: {rules}")
    for way in dict.fromkeys((*ways_out(before), *ways_out(step))):
        old, new = before.exits.get(way), step.exits.get(way)
        if old != new:
            only = len(ways_out(step)) == len(ways_out(before)) == 1
            led = "Led" if only else f"“{words.way_label(step, way)}” led"
            details.append(f"{led} to {_called(was, old)}, leads to {_called(now, new)}")
    return details


def _bare(step: AnyStep) -> dict[str, Any]:
    return {name: getattr(step, name) for name in step.__struct_fields__ if name not in ("name", "exits")}
