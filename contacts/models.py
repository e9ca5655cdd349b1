"""The people. Every value of a person is in one sealed record; the rows around it are opaque."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, TextChoices, Value

from core.declarations import Declaration
from core.fields import uuid_pk
from core.sensitivity import Sensitivity
from phi.fields import EncryptedJSONField, EncryptedTextField


class Kind(TextChoices):
    """Type of an attribute's values; how each is kept is in contacts.values."""

    TEXT = "text", "Text"
    NUMBER = "number", "Number"
    DATE = "date", "Date"
    DATETIME = "datetime", "Date and time"
    BOOLEAN = "boolean", "Yes or no"
    CHOICE = "choice", "Choice"
    CODED = "coded", "Coded list (code, name, start, stop)"


class Attribute(models.Model):
    """A definition: what may be known about people, and how sensitive it is."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    key = models.SlugField(max_length=60, unique=True)
    label = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    sensitivity = models.CharField(max_length=12, choices=Sensitivity.choices)
    #: For CHOICE: the permitted values, in order.
    choices = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    #: email, external_id, first_name …: the product itself relies on them.
    built_in = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "label"]

    def __str__(self) -> str:
        return self.label


class Contact(models.Model):
    """A person, known to every other table by an opaque id. `sealed` opens to contacts.records.Record."""

    DATA = Declaration(sealed=("sealed",), wrapped=("data_key",), blind=("email_index", "external_index"), safe=("*",))

    id = uuid_pk()
    #: Dense and never reused: the contact's place in partitions and bitmaps.
    number = models.BigIntegerField(unique=True, db_default=Func(Value("contact_number"), function="nextval"))
    #: Not unique: a family may share an address (PRV-24).
    email_index = models.BinaryField(max_length=32, null=True, db_index=True)
    external_index = models.BinaryField(max_length=32, null=True, unique=True)
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    sealed = models.BinaryField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(db_index=True)

    class Meta:
        # Whoever turns many ids into numbers need not read the sealed rows for it.
        indexes = [models.Index(fields=["id"], include=["number"], name="contact_numbers")]

    def __str__(self) -> str:
        return f"Contact {self.pk}"


class Damaged(models.Model):
    """A contact whose record does not open, and since when that is known (contacts.damaged)."""

    DATA = Declaration(safe=("*",))

    #: No foreign key: whoever is deleted is deleted at once, and forgotten here when it is looked at again.
    contact_id = models.UUIDField(primary_key=True)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"Damaged {self.pk}"


class Import(models.Model):
    """One uploaded file on its way in: mapped, tried, run, and undone if need be."""

    DATA = Declaration(encrypted=("file_name", "mapping", "consent", "problems"), wrapped=("data_key",), safe=("*",))

    class State(TextChoices):
        UPLOADED = "UPLOADED", "Uploaded"
        CHECKING = "CHECKING", "Dry run in progress"
        CHECKED = "CHECKED", "Ready to import"
        STOPPED = "STOPPED", "Stopped for your decision"
        RUNNING = "RUNNING", "Importing"
        FINISHED = "FINISHED", "Finished"
        UNDOING = "UNDOING", "Being undone"
        UNDONE = "UNDONE", "Undone"
        FAILED = "FAILED", "Failed"
        CANCELLED = "CANCELLED", "Cancelled"
        DISCARDED = "DISCARDED", "Discarded"

    class Shape(TextChoices):
        PEOPLE = "people", "One row a person"
        CODED = "coded", "Many rows a person, folded into a coded list"

    id = uuid_pk()
    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    shape = models.CharField(max_length=8, choices=Shape.choices, default=Shape.PEOPLE)
    file_name: str = EncryptedTextField(default="")
    #: The import's own data key: chunks, undo and refusals are sealed under it.
    kek_id = models.CharField(max_length=40)
    data_key = models.BinaryField()
    encoding = models.CharField(max_length=20, blank=True)
    delimiter = models.CharField(max_length=1, blank=True)
    #: {"columns": one attribute key (or, in coded files, person | code | display | start | stop) or "" a column,
    #: "headers": [str], "header": bool, "day_first": bool}
    mapping: dict[str, Any] = EncryptedJSONField(default=dict)
    #: {"topics": [id], "source": str, "given_on": date, "address_confirmed": bool, "text": str}; empty: none
    consent: dict[str, Any] = EncryptedJSONField(default=dict)
    coded_attribute = models.ForeignKey(Attribute, null=True, on_delete=models.PROTECT, related_name="+")
    problems: dict[str, Any] = EncryptedJSONField(default=dict)
    rows_total = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    created_count = models.PositiveIntegerField(default=0)
    changed_count = models.PositiveIntegerField(default=0)
    unchanged_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    address_changes = models.PositiveIntegerField(default=0)
    #: SND-04: a person looked at the sample and says the address changes are right.
    tripwire_released_by = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_epoch = models.PositiveIntegerField(default=0)
    #: Where the work stands: the next chunk to take (the last one done, while undoing).
    next_position = models.PositiveIntegerField(default=0)
    #: Rows whose external id was known already: the base of the tripwire.
    known_count = models.PositiveIntegerField(default=0)
    #: Chunks of kind "rows", once the file is parsed.
    row_chunks = models.PositiveIntegerField(null=True)
    created_by = models.UUIDField()
    started_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Import {self.pk}"


class ImportChunk(models.Model):
    """A piece of an uploaded file, sealed on receipt; nothing uploaded is ever on a disk in the clear."""

    DATA = Declaration(sealed=("sealed",), safe=("*",))

    owner = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="chunks")
    #: source: bytes as uploaded · rows: parsed · people: as the dry run understood them · refused: with reasons ·
    #: undo: what was before.
    kind = models.CharField(max_length=8)
    position = models.PositiveIntegerField()
    rows = models.PositiveIntegerField(default=0)
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "kind", "position"], name="import_chunk_place")]

    def __str__(self) -> str:
        return f"{self.kind} chunk {self.position}"


class ImportKey(models.Model):
    """Who of the file was seen already in this pass, by keyed hash; gone when the import ends."""

    DATA = Declaration(blind=("digest",), safe=("*",))

    #: Two million rows for a file of a million: no index but the one below, and no check that its import is there.
    owner = models.ForeignKey(
        Import, on_delete=models.CASCADE, related_name="keys", db_index=False, db_constraint=False
    )
    digest = models.BinaryField(max_length=32)
    row = models.PositiveIntegerField()
    #: contacts.importing.keys: 0 unchanged, 1 changed.
    outcome = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "digest"], name="import_key_once")]

    def __str__(self) -> str:
        return f"Row {self.row}"


class ImportTouch(models.Model):
    """That an import created or changed a person: for the person's timeline. Ids only."""

    DATA = Declaration(safe=("*",))

    #: Written a row a person of the import that is locked meanwhile: its being there needs no check.
    owner = models.ForeignKey(
        Import, on_delete=models.CASCADE, related_name="touches", db_index=False, db_constraint=False
    )
    contact_id = models.UUIDField(db_index=True)
    created = models.BooleanField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Touch {self.pk}"


class Reason(models.Model):
    """Why somebody looked, lowered or released: typed by staff, so encrypted; the trail points here by id."""

    DATA = Declaration(encrypted=("text",), safe=("*",))

    id = uuid_pk()
    action = models.CharField(max_length=64)
    target_id = models.UUIDField(db_index=True)
    text: str = EncryptedTextField()
    by = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Reason {self.pk}"


class Lowering(models.Model):
    """That something (an attribute, an event) is to count as less sensitive, until a second person has decided."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    target_id = models.UUIDField(unique=True)
    to = models.CharField(max_length=12, choices=Sensitivity.choices)
    reason = models.ForeignKey(Reason, on_delete=models.PROTECT, related_name="+")
    asked_by = models.UUIDField(null=True)
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Lowering {self.pk}"


class SavedMapping(models.Model):
    """The mapping somebody chose for a set of column headers, offered again next time."""

    DATA = Declaration(blind=("headers_hash",), encrypted=("mapping",), safe=("*",))

    headers_hash = models.BinaryField(max_length=32, unique=True)
    mapping: dict[str, Any] = EncryptedJSONField(default=dict)
    shape = models.CharField(max_length=8, choices=Import.Shape.choices)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Mapping {self.pk}"
