"""What the shell of every page needs."""

from django.conf import settings
from django.http import HttpRequest

from core.models import Organization


def shell(request: HttpRequest) -> dict[str, object]:
    """The clinic's name, for staff only: a stranger learns nothing from the sign-in page."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    found = Organization.objects.filter(pk=1).values_list("name", flat=True).first()
    return {"organization_name": found or "", "idle_minutes": int(settings.SESSION_IDLE.total_seconds() // 60)}
