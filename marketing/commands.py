"""Change the one organization of this deployment."""

from typing import Any

from django.db import transaction

from audit.commands import record
from core.actors import By
from core.models import Organization


@transaction.atomic
def change_organization(*, by: By, **fields: Any) -> Organization:
    """Set these fields of the organization; the trail keeps which changed, not what they say."""
    Organization.current()
    organization = Organization.objects.select_for_update().get(pk=1)
    changed = [key for key, value in fields.items() if getattr(organization, key) != value]
    if changed:
        for key in changed:
            setattr(organization, key, fields[key])
        organization.save(update_fields=changed)
        record("organization.changed", by=by, target=organization, fields=changed)
    return organization
