from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.commands import issue_local_link
from accounts.models import User
from accounts.policy import Role


class Command(BaseCommand):
    help = "Print one-time sign-in links for one user of each role. Local runs only."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("\nSign in once with one of these links (for more: make links):")
        for role in Role:
            user = User.objects.filter(roles__contains=[role], is_active=True).order_by("created_at").first()
            if user is not None:
                self.stdout.write(f"  {role.label:<19} {settings.PUBLIC_URL}{issue_local_link(user)}")
