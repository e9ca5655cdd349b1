"""The attributes every deployment starts with; made after each migrate if missing, never changed once there."""

from typing import Any

from contacts.models import Attribute, Kind
from core.sensitivity import Sensitivity

T, C, L = Kind.TEXT, Kind.CHOICE, Kind.CODED
IDENTITY, PUBLIC, PHI = Sensitivity.IDENTITY, Sensitivity.PUBLIC, Sensitivity.PHI

#: key, label, kind, sensitivity, choices, whether the product itself relies on it
ATTRIBUTES: tuple[tuple[str, str, Kind, Sensitivity, list[str], bool], ...] = (
    ("email", "Email", T, IDENTITY, [], True),
    ("external_id", "External id", T, IDENTITY, [], True),
    ("first_name", "First name", T, IDENTITY, [], True),
    ("last_name", "Last name", T, IDENTITY, [], True),
    ("birth_date", "Birth date", Kind.DATE, IDENTITY, [], True),
    ("sex", "Sex", C, IDENTITY, ["female", "male", "other", "unknown"], True),
    ("language", "Language", T, PUBLIC, [], True),
    ("time_zone", "Time zone", T, PUBLIC, [], True),
    ("phone", "Phone", T, IDENTITY, [], True),
    ("street", "Street", T, IDENTITY, [], True),
    ("city", "City", T, IDENTITY, [], True),
    ("state", "State", T, IDENTITY, [], True),
    ("zip", "ZIP code", T, IDENTITY, [], True),
    ("conditions", "Conditions", L, PHI, [], False),
    ("medications", "Medications", L, PHI, [], False),
    ("visits", "Visits", L, PHI, [], False),
)


def ensure(**kwargs: Any) -> None:
    """Create what is missing. Runs after migrate (and after a test's flush)."""
    there = set(Attribute.objects.values_list("key", flat=True))
    Attribute.objects.bulk_create(
        [
            Attribute(
                key=key,
                label=label,
                kind=kind,
                sensitivity=tier,
                choices=choices,
                built_in=built_in,
                position=place * 10,
            )
            for place, (key, label, kind, tier, choices, built_in) in enumerate(ATTRIBUTES, 1)
            if key not in there
        ],
        ignore_conflicts=True,
    )
