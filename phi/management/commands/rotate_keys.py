"""`manage.py rotate_keys`: a new key-encryption key, and everything under it, while the product runs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.actors import SYSTEM
from core.errors import DomainError
from phi import commands
from phi.keyring import keyring
from phi.queries import kek_usage


class Command(BaseCommand):
    help = "Rotate the key-encryption key: add one and wrap every data key under it. Stops and resumes at will."

    def add_arguments(self, parser: ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--resume", action="store_true", help="finish an earlier rotation without adding a key")
        choice.add_argument("--fields", action="store_true", help="rotate the key of encrypted scalars instead")
        choice.add_argument("--retire", metavar="KEY", help="destroy a superseded key that wraps nothing any more")
        choice.add_argument("--list", action="store_true", help="show the keys and what they wrap")
        parser.add_argument("--batch", type=int, default=2_000, help="rows per transaction")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["retire"]:
                commands.retire_key(options["retire"], by=SYSTEM)
                self.stdout.write(f"{options['retire']} is destroyed. Destroy it in backups of the key file too.")
            elif options["list"]:
                self._list()
            elif options["fields"]:
                self.stdout.write(f"New field key {commands.add_field_key(by=SYSTEM)}.")
                self._show(commands.rewrite_fields(by=SYSTEM, batch=options["batch"]))
            else:
                if not options["resume"]:
                    self.stdout.write(f"New key {commands.add_key(by=SYSTEM)}. Back up the key file now.")
                self._show(commands.rewrap(by=SYSTEM, batch=options["batch"]))
                self._list()
        except DomainError as refusal:
            raise CommandError(str(refusal)) from None

    def _show(self, steps: Any) -> None:
        for step in steps:
            self.stdout.write(f"{step.place}: {step.done:,} of {step.total:,}")

    def _list(self) -> None:
        usage = kek_usage()
        for kek in keyring().keks():
            state = "current" if kek.superseded_at is None else f"superseded {kek.superseded_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"{kek.id}: {state}, wraps {usage[kek.id]:,} data keys")
