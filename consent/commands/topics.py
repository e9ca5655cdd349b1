"""What people can opt in to and out of."""

from django.db import connection, transaction
from django.db.models import Max

from audit.commands import record
from consent.errors import TopicNameTaken, UnknownTopic
from consent.models import Topic
from contacts import locks
from core import clock
from core.actors import By


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [locks.SPACE + 1, 0])


def _check(name: str, public_name: str, *, but: Topic | None = None) -> None:
    for other in Topic.objects.filter(removed_at__isnull=True):
        if but is not None and other.pk == but.pk:
            continue
        if other.public_name.casefold() == public_name.casefold():
            raise TopicNameTaken("Another topic is shown to people under this name. Choose one they can tell apart.")
        if other.name.casefold() == name.casefold():
            raise TopicNameTaken("There is a topic of this name already. Choose another, or edit that one.")


@transaction.atomic
def create_topic(*, name: str, public_name: str, description: str = "", requires_opt_in: bool = True, by: By) -> Topic:
    """Define a topic. `public_name` is what patients see without signing in: it may say nothing of health (CAN-17)."""
    _one_at_a_time()
    _check(name, public_name)
    number = (Topic.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    topic = Topic.objects.create(
        number=number, name=name, public_name=public_name, description=description, requires_opt_in=requires_opt_in
    )
    record("topic.created", by=by, target=topic, number=number)
    return topic


@transaction.atomic
def edit_topic(
    topic: Topic, *, name: str, public_name: str, description: str = "", requires_opt_in: bool = True, by: By
) -> Topic:
    """Rename a topic or change what it asks for; what people said about it stays."""
    _one_at_a_time()
    topic = _live(topic)
    _check(name, public_name, but=topic)
    topic.name, topic.public_name, topic.description = name, public_name, description
    topic.requires_opt_in = requires_opt_in
    topic.save()
    record("topic.edited", by=by, target=topic, number=topic.number, requires_opt_in=requires_opt_in)
    return topic


@transaction.atomic
def remove_topic(topic: Topic, *, by: By) -> Topic:
    """Take a topic out of use. What people said stays in the ledger, and links in old mails still work (CAN-08)."""
    topic = _live(topic)
    topic.removed_at = clock.now()
    topic.save(update_fields=["removed_at"])
    record("topic.removed", by=by, target=topic, number=topic.number)
    return topic


def _live(topic: Topic) -> Topic:
    found = Topic.objects.select_for_update().filter(pk=topic.pk, removed_at__isnull=True).first()
    if found is None:
        raise UnknownTopic("This topic was removed. Go back to the list of topics.")
    return found
