"""The two axes of every message (PRV-01, CAN-01): never one."""

from django.db.models import TextChoices


class Purpose(TextChoices):
    """HIPAA purpose of a communication (45 CFR 164.501, .508, .514(f))."""

    TREATMENT = "treatment", "Treatment or care coordination"
    PAYMENT = "payment", "Payment"
    OPERATIONS = "operations", "Health care operations"
    MARKETING = "marketing", "Marketing"
    FUNDRAISING = "fundraising", "Fundraising"


class MessageClass(TextChoices):
    """CAN-SPAM class (15 USC 7702(2), (17); 16 CFR 316.3)."""

    COMMERCIAL = "commercial", "Commercial"
    TRANSACTIONAL = "transactional", "Transactional or relationship"
    OTHER = "other", "Other"


class Stream(TextChoices):
    MARKETING = "marketing", "Marketing"
    TRANSACTIONAL = "transactional", "Transactional"
