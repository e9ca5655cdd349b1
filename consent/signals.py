"""What other rooms may hear, on commit, as ids only."""

from django.dispatch import Signal

#: contact_id: UUID, topic_id: UUID | None (everything), delivery_id: UUID | None, at: datetime
withdrawn = Signal()
