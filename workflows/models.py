"""Journeys: drafts, immutable versions, who is where, and everything they were told."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, TextChoices

from content.models import TemplateVersion
from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from core.transactions import xid
from phi.fields import EncryptedJSONField, EncryptedTextField


class Workflow(models.Model):
    """A journey: its draft, its versions and its switch. Names and drafts may say a diagnosis: encrypted."""

    DATA = Declaration(encrypted=("name", "description", "draft"), safe=("*",))

    class State(TextChoices):
        DRAFT = "DRAFT", "Draft"  # never published
        ACTIVE = "ACTIVE", "Running"
        PAUSED = "PAUSED", "Paused"
        STOPPED = "STOPPED", "Stopped"  # nobody enters, everybody has left

    id = uuid_pk()
    name: Any = EncryptedTextField()
    description: Any = EncryptedTextField(default="", blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT, db_index=True)
    #: workflows.language.definition as JSON; what is drawn, not what runs.
    draft: Any = EncryptedJSONField(default=dict)
    #: Optimistic concurrency: a save names the revision it started from.
    draft_revision = models.PositiveIntegerField(default=1)
    paused_at = models.DateTimeField(null=True)
    #: What holds it though it runs, a code of workflows.troubles: noted by workflows.versions.standing.
    trouble = models.CharField(max_length=40, blank=True)
    #: A job lets it go on: "spread:<seconds>" or "skip:0". "": none does.
    resuming = models.CharField(max_length=20, blank=True, default="")
    created_by = models.UUIDField(null=True)
    #: Who wrote on the draft since a second person last approved of it.
    editors = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Workflow {self.pk}"


class WorkflowVersion(models.Model):
    """What was published: never changed (a trigger refuses), but for its state and who approved it."""

    DATA = Declaration(encrypted=("definition", "plan", "note"), safe=("*",))

    class State(TextChoices):
        PROPOSED = "PROPOSED", "Waits for approval"
        LIVE = "LIVE", "Live"  # new people enter this one: at most one of a workflow
        CLOSED = "CLOSED", "Closed"  # people finish on it
        RETURNED = "RETURNED", "Sent back"
        WITHDRAWN = "WITHDRAWN", "Withdrawn"

    id = uuid_pk()
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    definition: Any = EncryptedJSONField()
    #: HMAC-SHA-256 of everything an approval covers.
    digest = models.BinaryField(max_length=32)
    #: The highest of its trigger's, rules' and mails' sensitivities.
    tier = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.IDENTITY)
    #: What becomes of people on older versions: {"how": "finish"} or
    #: {"how": "move", "steps": {"<version id>": {"<old step>": "<new step>" | null (leaves) | "" (finishes there)}}}
    plan: Any = EncryptedJSONField(default=dict)
    proposed_by = models.UUIDField(null=True)
    proposed_at = models.DateTimeField()
    written_by = ArrayField(models.UUIDField(), default=list)
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    note: Any = EncryptedTextField(default="", blank=True)
    live_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="workflow_version_number"),
            models.UniqueConstraint(fields=["workflow"], condition=Q(state="LIVE"), name="workflow_one_live"),
        ]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Workflow version {self.pk}"


class VersionMail(models.Model):
    """The frozen content of one mail step of a version; the row's id is the id of its delivery.Origin."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="mails")
    step = models.CharField(max_length=40)
    template_version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "step"], name="version_mail_once")]

    def __str__(self) -> str:
        return f"Mail {self.pk}"


class Move(models.Model):
    """What publishing does to people on older versions: foretold, confirmed by somebody, carried out by a job.

    `forecast`, `happened`: a list of moving.Fate as JSON; the first is what was shown before, the second what came.
    """

    DATA = Declaration(encrypted=("definition", "plan", "forecast", "happened"), safe=("*",))

    class State(TextChoices):
        COUNTING = "COUNTING", "Being foretold"
        FORETOLD = "FORETOLD", "Foretold"
        MOVING = "MOVING", "Moving people"
        MOVED = "MOVED", "Moved, not all looked at yet"
        DONE = "DONE", "Done"
        FAILED = "FAILED", "Failed"

    id = uuid_pk()
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="moves")
    #: Where they move to, once it was proposed.
    version = models.OneToOneField(WorkflowVersion, null=True, on_delete=models.CASCADE, related_name="move")
    definition: Any = EncryptedJSONField()
    plan: Any = EncryptedJSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.COUNTING)
    forecast: Any = EncryptedJSONField(default=list)
    forecast_at = models.DateTimeField(null=True)
    happened: Any = EncryptedJSONField(default=list)
    #: People the job has been through in this state, of all.
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    #: A job that has not said anything since is taken for lost.
    seen_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Move {self.pk}"


class Moved(models.Model):
    """That one person was moved to another version, at which visit, from which step to which."""

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    move = models.ForeignKey(Move, on_delete=models.CASCADE, related_name="people", db_index=False)
    enrolment = models.ForeignKey(
        "Enrolment", on_delete=models.CASCADE, related_name="moves", db_constraint=False, db_index=True
    )
    visit = models.PositiveIntegerField()
    from_version = models.UUIDField()
    from_step = models.CharField(max_length=40)
    #: "": left.
    to_step = models.CharField(max_length=40, blank=True)
    #: A mail of theirs was on its way, or a call: not made again.
    awaited = models.BooleanField(default=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["move", "enrolment"], name="moved_once")]

    def __str__(self) -> str:
        return f"Moved {self.pk}"


class EventType(models.Model):
    """An event that other systems may send, declared first. Its name may say a diagnosis: encrypted, found by hash."""

    DATA = Declaration(encrypted=("name", "label", "properties"), blind=("name_index",), safe=("*",))

    id = uuid_pk()
    #: A slug: "appointment_booked".
    name: Any = EncryptedTextField()
    name_index = models.BinaryField(max_length=32, unique=True)
    label: Any = EncryptedTextField(default="", blank=True)
    #: {property: "text" | "number" | "yes_no" | "date" | "datetime"}
    properties: Any = EncryptedJSONField(default=dict)
    sensitivity = models.CharField(max_length=12, choices=Sensitivity.choices, default=Sensitivity.PHI)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Event type {self.pk}"


class Happening(models.Model):
    """Something that happened to one person and that journeys may listen to. Append-only; read by xid.

    `about`: the event type, attribute, topic, origin or segment. `sealed` (under the contact's key): the properties of
    an event, or {"was": …, "is": …} of a change.
    """

    DATA = Declaration(sealed=("sealed",), blind=("key_index", "idempotency"), safe=("*",))

    class Kind(TextChoices):
        EVENT = "event", "Event"
        ATTRIBUTE = "attribute", "Attribute changed"
        ENTERED = "entered", "Entered a segment"
        LEFT = "left", "Left a segment"
        GIVEN = "given", "Consent given"
        WITHDRAWN = "withdrawn", "Consent withdrawn"
        OPENED = "opened", "Opened"
        CLICKED = "clicked", "Clicked"
        SENT = "sent", "Mail sent"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    about = models.UUIDField()
    contact_id = models.UUIDField()
    #: Keyed hash of the event's key: which appointment, which order.
    key_index = models.BinaryField(max_length=32, null=True)
    #: Keyed hash of what the sender calls this event: the same one twice is one.
    idempotency = models.BinaryField(max_length=32, null=True, unique=True)
    at = models.DateTimeField()
    sealed = models.BinaryField(null=True)
    xid = xid()

    class Meta:
        indexes = [
            models.Index(fields=["contact_id", "kind", "about", "at"], name="happening_of_contact"),
            models.Index(fields=["xid"], name="happening_xid"),
            models.Index(fields=["at"], name="happening_at"),
        ]

    def __str__(self) -> str:
        return f"Happening {self.pk}"


class Cursor(models.Model):
    """How far a source was read: `before_xid`, `unfinished` as core.transactions.Ended; `at` for sources by time."""

    DATA = Declaration(safe=("*",))

    #: "happenings", "consent", "tracking", "deliveries"; "segment:<id>"; "date:<version id>"
    source = models.CharField(max_length=80, primary_key=True)
    before_xid = models.BigIntegerField(default=0)
    unfinished = ArrayField(models.BigIntegerField(), default=list)
    at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.source


class ContactChange(models.Model):
    """That a person was added, changed or deleted while journeys run: written by a trigger, gone when it was read."""

    DATA = Declaration(sealed=("before",), safe=("*",))

    id = models.BigAutoField(primary_key=True)
    contact_id = models.UUIDField(db_index=True)
    #: The record as it was, under the contact's own key; null: a new person, or a deleted one.
    before = models.BinaryField(null=True)
    gone = models.BooleanField(default=False)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Change {self.pk}"


class Enrolment(models.Model):
    """One person on one journey, pinned to a version. Where they are is one row; where they were is Transition."""

    DATA = Declaration(blind=("key_index",), safe=("*",))

    class Status(TextChoices):
        ACTIVE = "active", "On the way"
        ATTENTION = "attention", "Needs attention"
        LEFT = "left", "Has left"

    id = models.BigAutoField(primary_key=True)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="enrolments", db_index=False)
    contact_id = models.UUIDField()
    contact_number = models.BigIntegerField()
    #: The how many-th time this person is on this journey, from 1 on.
    sequence = models.PositiveIntegerField(default=1)
    #: Of the event or date that let them in; null: there is none.
    key_index = models.BinaryField(max_length=32, null=True)
    #: The happening that let them in; null: by hand, a list, a date.
    happening_id = models.BigIntegerField(null=True)
    entered_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ACTIVE)
    #: Where they are; of who has left: where they were last.
    step = models.CharField(max_length=40)
    #: Steps they were at before this one, in this enrolment: with the id the name of this visit.
    visit = models.PositiveIntegerField(default=0)
    #: When they came to this step.
    since = models.DateTimeField()
    #: When somebody looks at them next; null: only when what they wait for comes.
    wake_at = models.DateTimeField(null=True)
    #: The delivery or the call whose end they wait for at this step.
    awaits = models.UUIDField(null=True)
    #: Failures at this step, and why (a code of workflows.troubles).
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=40, blank=True)
    #: Resumed with "skip what is overdue": until they wait again, mails are passed over.
    overdue = models.BooleanField(default=False)
    #: Why they left: "end", "goal", "unsubscribed", "segment_left", "event", "removed", "moved", "deleted", "stopped"
    left_because = models.CharField(max_length=16, blank=True)
    left_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "contact_id", "sequence"], name="enrolment_once"),
            models.CheckConstraint(
                condition=Q(status="left", left_at__isnull=False) | (~Q(status="left") & Q(left_at__isnull=True)),
                name="enrolment_left_when",
            ),
        ]
        indexes = [
            models.Index(fields=["version", "wake_at"], name="enrolment_due", condition=Q(status="active")),
            models.Index(fields=["contact_id"], name="enrolment_of_contact"),
            models.Index(fields=["awaits"], name="enrolment_awaits", condition=Q(awaits__isnull=False)),
            models.Index(fields=["version", "step"], name="enrolment_inside", condition=~Q(status="left")),
            models.Index(fields=["workflow", "since"], name="enrolment_attention", condition=Q(status="attention")),
        ]

    def __str__(self) -> str:
        return f"Enrolment {self.pk}"


class Transition(models.Model):
    """That somebody left a step, by which way and why. Append-only, one a visit: a second worker adds none."""

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="transitions", db_index=False)
    visit = models.PositiveIntegerField()
    version = models.ForeignKey(
        WorkflowVersion, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    step = models.CharField(max_length=40)
    arrived_at = models.DateTimeField()
    at = models.DateTimeField()
    #: The way out; "" where they left the journey here.
    way = models.CharField(max_length=16, blank=True)
    #: What happened, a code: workflows.step.Note.
    note = models.CharField(max_length=24, blank=True)
    #: The delivery, call or notice that was made here.
    made = models.UUIDField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["enrolment", "visit"], name="transition_once")]

    def __str__(self) -> str:
        return f"Transition {self.pk}"


class Tally(models.Model):
    """How many did what at one step, as one transaction of the engine left it; their sum is the exact number.

    `what`: "entered" (step: the start), "arrived", "passed", "left", "goal", "refused", "failed", "attention".
    """

    DATA = Declaration(safe=("*",))

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(WorkflowVersion, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    step = models.CharField(max_length=40)
    what = models.CharField(max_length=10)
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"Tally {self.pk}"


class Endpoint(models.Model):
    """Where webhooks go, and the agreement under which values may go there (SEC-09)."""

    DATA = Declaration(encrypted=("secret",), safe=("*",))

    id = uuid_pk()
    name = models.CharField(max_length=80)
    url = models.URLField(max_length=500)
    secret: Any = EncryptedTextField()
    baa_party = models.CharField(max_length=120, blank=True)
    baa_signed_on = models.DateField(null=True, blank=True)
    baa_expires_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Call(models.Model):
    """One webhook call: made in the engine's transaction, carried out by a job, tried again until it has ended."""

    DATA = Declaration(safe=("*",))

    class State(TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True)  # follows from enrolment and visit
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="calls")
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="calls", db_constraint=False)
    visit = models.PositiveIntegerField()
    step = models.CharField(max_length=40)
    contact_id = models.UUIDField()
    #: Keys of the attributes whose values go along.
    attributes = ArrayField(models.CharField(max_length=60), default=list)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    trouble = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="call_due", condition=Q(state="waiting"))]

    def __str__(self) -> str:
        return f"Call {self.pk}"


class Notice(models.Model):
    """Something a journey told the staff about a person, until somebody has seen to it."""

    DATA = Declaration(encrypted=("text",), safe=("*",))

    id = models.UUIDField(primary_key=True)  # follows from enrolment and visit
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="notices")
    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="notices", db_constraint=False)
    contact_id = models.UUIDField()
    user_id = models.UUIDField(null=True)
    role = models.CharField(max_length=16, blank=True)
    text: Any = EncryptedTextField(default="", blank=True)
    at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index(fields=["at"], name="notice_open", condition=Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return f"Notice {self.pk}"


class Simulation(models.Model):
    """A run of a draft or version on a virtual clock over real people; nothing is sent. Its results are encrypted."""

    DATA = Declaration(encrypted=("definition", "settings", "result"), safe=("*",))

    class State(TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        FINISHED = "FINISHED", "Finished"
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Cancelled"

    id = uuid_pk()
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="simulations")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    definition: Any = EncryptedJSONField()
    #: {"segment": id, "start": date, "days": n, "assumptions": {…}}; see workflows.simulate
    settings: Any = EncryptedJSONField(default=dict)
    #: Virtual days done, of all.
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    moved_at = models.DateTimeField(null=True)
    result: Any = EncryptedJSONField(default=dict)
    trouble = models.CharField(max_length=40, blank=True)
    #: How often it was begun: a worker may die at it.
    attempts = models.PositiveSmallIntegerField(default=0)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Simulation {self.pk}"


class SimulatedPaths(models.Model):
    """Where people went in a simulation, those of a thousand contact numbers from `first` on: simulate.paths."""

    DATA = Declaration(wrapped=("data_key",), sealed=("sealed",), safe=("*",))

    id = models.BigAutoField(primary_key=True)
    simulation = models.ForeignKey(Simulation, on_delete=models.CASCADE, related_name="paths")
    first = models.BigIntegerField()
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["simulation", "first"], name="simulated_paths_once")]

    def __str__(self) -> str:
        return f"Paths {self.pk}"
