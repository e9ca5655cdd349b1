"""How sensitive a value is, and so how a message that uses it must travel."""

from django.db.models import TextChoices


class Sensitivity(TextChoices):
    """Sensitivity of an attribute and data tier of a message, weakest first."""

    PUBLIC = "public", "Public"
    IDENTITY = "identity", "Identity"
    PHI = "phi", "Health information"
    SPECIAL = "special", "Special category"  # substance use, psychotherapy, reproductive, genetic, HIV

    @property
    def rank(self) -> int:
        return list(Sensitivity).index(self)


def highest(*tiers: "Sensitivity | str") -> Sensitivity:
    """The tier of a message that uses all of these."""
    return max((Sensitivity(tier) for tier in tiers), key=lambda tier: tier.rank, default=Sensitivity.PUBLIC)
