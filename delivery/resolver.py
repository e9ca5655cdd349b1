"""What a link's token leads to: one statement, for tracking."""

from uuid import UUID

from delivery.models import Delivery
from tracking.resolvers import Resolved

#: Only what may have reached somebody has links that work.
ARRIVED = (Delivery.Outcome.SENT, Delivery.Outcome.UNKNOWN)


def resolve(delivery_id: UUID) -> Resolved | None:
    row = (
        Delivery.objects.filter(pk=delivery_id, outcome__in=ARRIVED)
        .values_list(
            "origin_id",
            "contact_id",
            "origin__template_version__links",
            "at",
            "origin__track_opens",
            "origin__track_clicks",
            "origin__tier",
        )
        .first()
    )
    return Resolved(*row) if row else None
