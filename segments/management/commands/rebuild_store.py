"""`manage.py rebuild_store`: every partition of the column store anew from the records, while the product runs."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from segments import people
from segments.store import writing


class Command(BaseCommand):
    help = "Write the column store anew from the sealed records. Each partition is recorded in the trail."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--partition", type=int, help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        one = options["partition"]
        numbers = people.partitions() if one is None else range(one, one + 1)
        for number in numbers:
            writing.rebuild(number, "asked")
            self.stdout.write(f"Partition {number} is written ({number - numbers.start + 1} of {len(numbers)}).")
