"""The organization this deployment belongs to."""

from django.db import models

from core.declarations import Declaration


class Organization(models.Model):
    """The covered entity: one row, made on first use."""

    DATA = Declaration(safe=("*",))

    name = models.CharField(max_length=120, default="")
    #: CAN-06: street, USPS-registered PO box or CMRA box; shown in every commercial message.
    postal_address = models.TextField(default="", blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    #: Where patients can ask questions; shown on the public pages.
    contact_email = models.EmailField(default="", blank=True)
    contact_phone = models.CharField(max_length=40, default="", blank=True)
    #: Quiet hours in the contact's zone (local hours 0-23); null: none.
    quiet_from_hour = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_until_hour = models.PositiveSmallIntegerField(null=True, blank=True)
    #: At most this many commercial messages to a person in `cap_days`; null: no cap.
    cap_messages = models.PositiveSmallIntegerField(null=True, blank=True)
    cap_days = models.PositiveSmallIntegerField(default=7)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_organization")]

    @classmethod
    def current(cls) -> "Organization":
        return cls.objects.get_or_create(pk=1)[0]
