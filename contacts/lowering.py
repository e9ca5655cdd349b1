"""What counts as less sensitive from now on: somebody asks for it with a reason, a second person decides (SND-08).

More mail may carry what counts as less, and journeys that rest on it need nobody's approval any more: so no one person
does this alone. For attributes, and for whatever other rooms give a sensitivity; who calls this applies it.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User
from accounts.queries import person_of
from contacts.errors import NotAllowed, NotTheSecondPerson
from contacts.imports import write_reason
from contacts.models import Lowering
from core import clock
from core.actors import By
from core.sensitivity import Sensitivity


def of(target_id: UUID) -> Lowering | None:
    """What is asked for and not decided yet."""
    return Lowering.objects.filter(target_id=target_id).select_related("reason").first()


def awaiting(person: User) -> QuerySet[Lowering]:
    """What this person may decide on as the second one."""
    return Lowering.objects.exclude(asked_by=person.pk).order_by("asked_at")


@transaction.atomic
def ask(target_id: UUID, action: str, *, to: Sensitivity, reason: str, by: By) -> Lowering:
    """Ask for it, in place of what was asked before; the same asked again stays as it is. Raises NeedsReason."""
    before = of(target_id)
    if before is not None and before.to == to and not reason.strip():
        return before
    kept = write_reason(action, target_id, reason, by)
    drop(target_id)
    return Lowering.objects.create(
        target_id=target_id, to=to, reason=kept, asked_by=person_of(by), asked_at=clock.now()
    )


def drop(target_id: UUID) -> None:
    """Ask for it no more."""
    Lowering.objects.filter(target_id=target_id).delete()


@transaction.atomic
def decide(target_id: UUID, *, seen: UUID, by: By) -> Lowering:
    """Take what was asked for, to be applied or not. `seen`: what the second person read.

    Raises NotTheSecondPerson, NotAllowed.
    """
    asked = Lowering.objects.select_for_update().filter(target_id=target_id, pk=seen).first()
    if asked is None:
        raise NotAllowed("This is not asked for any more, or something else is. Look again.")
    person = person_of(by)
    if person is None or person == asked.asked_by:
        raise NotTheSecondPerson("A second person has to decide on this: you asked for it yourself.")
    Lowering.objects.filter(pk=asked.pk).delete()
    return asked
