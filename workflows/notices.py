"""What journeys told the staff: whom it is for, and that somebody has seen to it."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.queries import person_of
from audit.commands import record
from core import clock
from core.actors import By
from workflows.models import Notice


def for_user(user: User) -> QuerySet[Notice]:
    """Those for this person, for a role of theirs, or for whoever looks; newest first."""
    mine = Q(user_id=user.pk) | Q(user_id=None, role__in=[*user.roles, ""])
    return Notice.objects.filter(mine).order_by("-at", "-pk")


def open_count(user: User) -> int:
    """How many still wait for this person."""
    return for_user(user).filter(done_at=None).count()


@transaction.atomic
def finish(notice: Notice, *, by: By) -> Notice:
    """Somebody has seen to it."""
    notice = Notice.objects.select_for_update().get(pk=notice.pk)
    if notice.done_at is None:
        notice.done_at, notice.done_by = clock.now(), person_of(by)
        notice.save(update_fields=["done_at", "done_by"])
        record("notice.done", by=by, target=notice, subject=notice.contact_id)
    return notice


@transaction.atomic
def finish_many(notices: Iterable[Notice], *, by: By) -> int:
    """Somebody has seen to a page of them; how many had been waiting."""
    waiting = [notice for notice in notices if notice.done_at is None]
    for notice in sorted(waiting, key=lambda one: one.pk):
        finish(notice, by=by)
    return len(waiting)


@transaction.atomic
def reopen(notice: Notice, *, by: By) -> Notice:
    """It was not done after all."""
    notice = Notice.objects.select_for_update().get(pk=notice.pk)
    if notice.done_at is not None:
        notice.done_at = notice.done_by = None
        notice.save(update_fields=["done_at", "done_by"])
        record("notice.reopened", by=by, target=notice, subject=notice.contact_id)
    return notice
