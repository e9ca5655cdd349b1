"""What happened to a segment, from the trail."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import User
from audit.models import Entry
from segments.models import Segment

WORDS = {
    "segment.created": ("plus", "Created"),
    "segment.edited": ("draft", "Edited"),
    "segment.archived": ("stop", "Archived"),
    "segment.restored": ("undo", "Restored"),
    "segment.snapshot_taken": ("plus", "Kept as a snapshot"),
    "segment.list_started": ("plus", "List started"),
    "segment.people_added": ("plus", "People put in by hand"),
    "segment.people_removed": ("stop", "People taken out by hand"),
    "segment.watched": ("history", "History kept from then on"),
    "segment.unwatched": ("stop", "History no longer kept for its own sake"),
    "segment.membership_unreadable": ("warning", "What was kept of who is in it could not be read, and was taken anew"),
}
#: Where these moved nobody, nothing happened to the segment, though somebody asked.
MOVES = ("segment.people_added", "segment.people_removed")


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    icon: str
    text: str
    by: str


def history_of(segment: Segment, limit: int = 50) -> list[Event]:
    """Newest first; two queries."""
    told = Entry.objects.filter(target_id=str(segment.pk), action__in=WORDS)
    told = told.exclude(action__in=MOVES, details__people=0)
    entries = list(told.order_by("-at", "-id")[:limit])
    ids = {UUID(e.actor_id) for e in entries if e.actor_kind == "staff"}
    names = {str(user.pk): user.name for user in User.objects.filter(pk__in=ids)}
    return [
        Event(e.at, *_said(e), by=names.get(e.actor_id, "API" if e.actor_kind == "token" else "the system"))
        for e in entries
    ]


def _said(entry: Entry) -> tuple[str, str]:
    icon, text = WORDS[entry.action]
    if entry.action == "segment.edited" and not entry.details.get("rule", True):
        text = "Name or description changed"
    return icon, text
