"""Define what may be known about people."""

import re
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from audit.commands import record as audit
from contacts import lowering, signals
from contacts.errors import BadValue, NotAllowed
from contacts.models import Attribute, Kind
from core import clock
from core.actors import By
from core.sensitivity import Sensitivity

MAX_CHOICES = 200
_KEY = re.compile(r"[^a-z0-9]+")


def _announce(attribute: Attribute) -> None:
    transaction.on_commit(lambda: signals.attributes_changed.send(sender=Attribute, keys=[attribute.key]))


def _key_for(label: str) -> str:
    base = _KEY.sub("_", label.lower()).strip("_")[:50] or "attribute"
    if base[0].isdigit():
        base = f"a_{base}"
    key, n = base, 2
    while Attribute.objects.filter(key=key).exists():
        key, n = f"{base}_{n}", n + 1
    return key


def _clean_choices(kind: str, choices: Sequence[str]) -> list[str]:
    if kind != Kind.CHOICE:
        return []
    cleaned = list(dict.fromkeys(" ".join(choice.split()) for choice in choices if choice.strip()))
    if not cleaned:
        raise BadValue("Give at least one choice, one a line.")
    if len(cleaned) > MAX_CHOICES or any(len(choice) > 120 for choice in cleaned):
        raise BadValue(f"Give at most {MAX_CHOICES} choices of at most 120 characters.")
    if len({choice.casefold() for choice in cleaned}) < len(cleaned):
        raise BadValue("Two choices differ only in upper and lower case. Keep one of them.")
    return cleaned


def _refuse_taken(label: str, but: Attribute | None = None) -> None:
    taken = Attribute.objects.filter(label__iexact=label, removed_at=None)
    if (taken.exclude(pk=but.pk) if but else taken).exists():
        raise NotAllowed("Another attribute has this name. Give this one a name of its own.")


@transaction.atomic
def define(
    *, label: str, kind: str, sensitivity: str, choices: Sequence[str] = (), key: str | None = None, by: By
) -> Attribute:
    """Add an attribute; its key is made from its label and never changes."""
    label = " ".join(label.split())
    _refuse_taken(label)
    last = Attribute.objects.aggregate(last=Max("position"))["last"] or 0
    attribute = Attribute.objects.create(
        key=key or _key_for(label),
        label=label,
        kind=Kind(kind),
        sensitivity=Sensitivity(sensitivity),
        choices=_clean_choices(kind, choices),
        position=last + 10,
    )
    audit("attribute.defined", by=by, target=attribute, kind=str(kind), sensitivity=str(sensitivity))
    _announce(attribute)
    return attribute


@transaction.atomic
def edit(
    attribute: Attribute, *, label: str, sensitivity: str, choices: Sequence[str] = (), reason: str = "", by: By
) -> Attribute:
    """Change name, choices and sensitivity. Lowering it is only asked for, with a reason: a second person decides.

    What was asked for before ends where less is not asked for any more.
    """
    attribute = Attribute.objects.select_for_update().get(pk=attribute.pk)
    label = " ".join(label.split())
    _refuse_taken(label, attribute)
    before, after = Sensitivity(attribute.sensitivity), Sensitivity(sensitivity)
    attribute.label, attribute.sensitivity = label, max(before, after, key=lambda tier: tier.rank)
    attribute.choices = _clean_choices(attribute.kind, choices)
    attribute.save()
    if after.rank < before.rank:
        known = lowering.of(attribute.pk)
        asked = lowering.ask(attribute.pk, "attribute.lowered", to=after, reason=reason, by=by)
        note = str(asked.reason_id)
        if asked == known:  # by whoever asked for it, not by who changed something else
            audit("attribute.changed", by=by, target=attribute)
        else:
            audit("attribute.lowering_asked", by=by, target=attribute, was=before.value, to=after.value, reason_id=note)
    else:
        lowering.drop(attribute.pk)
        if after.rank > before.rank:
            audit("attribute.raised", by=by, target=attribute, was=before.value, now=after.value)
        else:
            audit("attribute.changed", by=by, target=attribute)
    _announce(attribute)
    return attribute


@transaction.atomic
def lower(attribute: Attribute, *, seen: UUID, by: By) -> Attribute:
    """As the second person, have it count as less, as asked for. Raises NotTheSecondPerson, NotAllowed."""
    attribute = Attribute.objects.select_for_update().get(pk=attribute.pk)
    asked, was = lowering.decide(attribute.pk, seen=seen, by=by), attribute.sensitivity
    attribute.sensitivity = asked.to
    attribute.save(update_fields=["sensitivity"])
    note, asker = str(asked.reason_id), str(asked.asked_by)
    audit("attribute.lowered", by=by, target=attribute, was=was, now=asked.to, asked_by=asker, reason_id=note)
    _announce(attribute)
    return attribute


@transaction.atomic
def keep(attribute: Attribute, *, seen: UUID, by: By) -> Attribute:
    """As the second person, have it count as it does. Raises NotTheSecondPerson, NotAllowed."""
    asked = lowering.decide(attribute.pk, seen=seen, by=by)
    audit("attribute.lowering_refused", by=by, target=attribute, to=asked.to, asked_by=str(asked.asked_by))
    return attribute


@transaction.atomic
def remove(attribute: Attribute, *, by: By) -> Attribute:
    """Take an attribute out of use. Values stay sealed in their records; rules and templates that name it say so."""
    attribute = Attribute.objects.select_for_update().get(pk=attribute.pk)
    if attribute.built_in:
        raise NotAllowed("Carillon itself needs this attribute, so it cannot be removed.")
    if attribute.removed_at is None:
        attribute.removed_at = clock.now()
        attribute.save(update_fields=["removed_at"])
        lowering.drop(attribute.pk)
        audit("attribute.removed", by=by, target=attribute)
        _announce(attribute)
    return attribute


@transaction.atomic
def restore(attribute: Attribute, *, by: By) -> Attribute:
    """Bring a removed attribute back, with the values people had."""
    attribute = Attribute.objects.select_for_update().get(pk=attribute.pk)
    if attribute.removed_at is not None:
        _refuse_taken(attribute.label)
        attribute.removed_at = None
        attribute.save(update_fields=["removed_at"])
        audit("attribute.restored", by=by, target=attribute)
        _announce(attribute)
    return attribute


@transaction.atomic
def move(attribute: Attribute, *, direction: Literal["up", "down"], by: By) -> None:
    """Swap places with the neighbour in the list."""
    live = list(Attribute.objects.select_for_update().filter(removed_at=None))
    place = next((i for i, item in enumerate(live) if item.pk == attribute.pk), None)
    if place is None:
        return
    other = place + (-1 if direction == "up" else 1)
    if 0 <= other < len(live):
        live[place], live[other] = live[other], live[place]
        for position, item in enumerate(live, 1):
            item.position = position * 10
        Attribute.objects.bulk_update(live, ["position"])
        audit("attribute.moved", by=by, target=attribute, direction=direction)
