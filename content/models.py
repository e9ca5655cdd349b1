"""What is written: templates, and versions that never change once used."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.declarations import Declaration
from core.fields import uuid_pk
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity
from phi.fields import EncryptedTextField


class Template(models.Model):
    """A mail in the making: its draft fields are edited, its versions are what is sent."""

    DATA = Declaration(encrypted=("name",), safe=("*",))

    id = uuid_pk()
    name = EncryptedTextField()
    subject = models.CharField(max_length=200, blank=True)
    preheader = models.CharField(max_length=200, blank=True)
    html = models.TextField(blank=True)
    #: Empty: made from the HTML.
    text = models.TextField(blank=True)
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.OPERATIONS)
    message_class = models.CharField(max_length=16, choices=MessageClass.choices, default=MessageClass.COMMERCIAL)
    #: PRV-06: a third party pays for this communication.
    remunerated = models.BooleanField(default=False)
    starter = models.BooleanField(default=False)
    #: Optimistic concurrency: a save names the revision it started from.
    revision = models.PositiveIntegerField(default=1)
    created_by = models.UUIDField(null=True)
    #: Who wrote on it since its last version.
    editors = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"Template {self.pk}"


class TemplateVersion(models.Model):
    """What was approved and sent: frozen text, its compiled form, and what it uses. A trigger refuses UPDATE."""

    DATA = Declaration(safe=("*",))

    id = uuid_pk()
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    subject = models.CharField(max_length=200)
    preheader = models.CharField(max_length=200, blank=True)
    html = models.TextField()
    text = models.TextField()
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    message_class = models.CharField(max_length=16, choices=MessageClass.choices)
    remunerated = models.BooleanField(default=False)
    #: HTML with CSS inlined once and links replaced by slots.
    compiled_html = models.TextField()
    #: Destinations in order, fixed at approval (TRK-07); a slot's number is the index here.
    links = ArrayField(models.URLField(max_length=2000), default=list)
    #: Attribute keys used anywhere in it, and the highest of their sensitivities.
    fields_used = ArrayField(models.CharField(max_length=60), default=list)
    tier = models.CharField(max_length=12, choices=Sensitivity.choices)
    #: Name, postal address, contact and time zone as they stood: part of what is approved and reproduced.
    organization = models.JSONField(default=dict)
    #: SHA-256 over everything above: what an approval approves.
    digest = models.BinaryField(max_length=32)
    created_by = models.UUIDField(null=True)
    #: Who wrote what is new in it: none of them is a second person to it (SND-08).
    written_by = ArrayField(models.UUIDField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "number"], name="template_version_number")]
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Template version {self.pk}"
