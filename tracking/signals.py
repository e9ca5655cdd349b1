"""News of this room. Signals notify; they never decide."""

from django.dispatch import Signal

#: `origins: dict[str, list[UUID]]`, by kind of event, INSIDE the transaction that forgets old events of these origins:
#: whoever keeps anything made from events must forget with it.
events_forgotten = Signal()
