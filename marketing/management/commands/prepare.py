from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from marketing import ways_out


class Command(BaseCommand):
    help = "Bring the database of a local run up to date, and fill it with the demo clinic the first time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--empty", action="store_true", help="no demo clinic")

    def handle(self, *args: Any, empty: bool, **options: Any) -> None:
        if not settings.LOCAL_RUN:
            raise CommandError("This prepares local runs only; elsewhere run `manage.py migrate`.")
        call_command("migrate", interactive=False, verbosity=0)
        if not empty and not User.objects.exists():
            call_command("seed_demo")
        else:
            ways_out.ensure()
