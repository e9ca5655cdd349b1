"""Rules and segments for tests."""

from typing import Any

import factory

from contacts.models import Attribute, Kind
from core.sensitivity import Sensitivity
from segments.models import Segment


def rule(*clauses: dict[str, Any], match: str = "all") -> dict[str, Any]:
    return {"version": 2, "root": {match: list(clauses)}}


def has(*codes: str, when: Any = "ever") -> dict[str, Any]:
    return {"attribute": "conditions", "op": "has", "value": list(codes), "when": when}


def is_(attribute: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "op": "is", "value": value}


def attribute(key: str, kind: Kind, *choices: str, sensitivity: Sensitivity = Sensitivity.PHI) -> Attribute:
    return Attribute.objects.get_or_create(
        key=key,
        defaults={"label": key.capitalize(), "kind": kind, "sensitivity": sensitivity, "choices": list(choices)},
    )[0]


class SegmentFactory(factory.django.DjangoModelFactory[Segment]):
    class Meta:
        model = Segment

    name = factory.Sequence(lambda n: f"Segment {n}")
    rule = factory.LazyFunction(lambda: rule(is_("state", "MA")))
