"""`manage.py datamap`: where each kind of data lives."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from phi.datamap import datamap

MEANING = {
    "sealed": "Sealed under a contact's own key",
    "encrypted": "Encrypted under the deployment's key",
    "wrapped": "Keys, wrapped by the key-encryption key",
    "blind": "Keyed hashes of unique values",
    "staff": "Identity of the workforce",
}


class Command(BaseCommand):
    help = "Print where each kind of data is stored, queued, cached, logged and sent."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for machines")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = datamap()
        except ValueError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(json.dumps(found, indent=1) if options["json"] else "\n".join(self._text(found)))

    def _text(self, found: dict[str, Any]) -> list[str]:
        lines = []
        for kind, meaning in MEANING.items():
            places = [
                f"{table['table']}.{field}" for table in found["tables"] for field in table["holds"].get(kind, [])
            ]
            lines += [meaning, *(f"  {place}" for place in places), ""]
        safe = sum(len(table["holds"].get("safe", [])) for table in found["tables"])
        lines += [
            f"Neither identity nor health: {safe} columns of {len(found['tables'])} tables (--json lists them)",
            "",
        ]
        lines += ["Other tables", *(f"  {table}: {holds}" for table, holds in found["other_tables"].items()), ""]
        jobs = found["jobs"]
        lines += [f"Queues ({jobs['broker']}): {', '.join(jobs['queues'])}"]
        lines += [f"  {name}({', '.join(arguments)})" for name, arguments in jobs["tasks"].items()]
        lines += ["", "Keys", *(f"  {name}: {value}" for name, value in found["keys"].items()), ""]
        for name in ("caches", "logs", "files", "outbound"):
            lines += [name.capitalize(), *("  " + " · ".join(row.values()) for row in found[name]), ""]
        return lines
