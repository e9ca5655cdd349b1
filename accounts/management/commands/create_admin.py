"""The first administrator of a deployment, or one more when nobody can sign in: whoever has the server has this."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts import commands
from accounts.policy import Role
from core.actors import SYSTEM
from core.errors import DomainError


class Command(BaseCommand):
    help = "Create an administrator and print a one-time link to set the password and the second factor."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            validate_email(options["email"])
            _, path = commands.invite(
                email=options["email"],
                name=options["name"],
                roles=[Role.ADMINISTRATOR],
                reason="Created on the command line.",
                by=SYSTEM,
            )
        except ValidationError:
            raise CommandError("That is not an email address.") from None
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"Open this link within 72 hours. It works once:\n{settings.PUBLIC_URL}{path}")
