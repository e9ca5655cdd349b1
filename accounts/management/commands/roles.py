"""Print the table of roles and actions as docs/roles.md holds it."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.policy import POLICY, Action, Role

HEAD = """# Roles

One table, role × action: pages, API and tests read `accounts/policy.py` and nothing else. This page is made from it by
`python manage.py roles > docs/roles.md`; the suite fails if the two differ, and it walks every address of the product
and every API operation to see that each asks for one of these actions.
"""


def table() -> str:
    """Markdown: a row for each action, a column for each role."""
    rows = [["Action", "", *Role.labels], ["---", "---", *(":-:" for _ in Role)]]
    rows += [[f"`{a.value}`", a.label, *("yes" if r in POLICY[a] else "" for r in Role)] for a in Action]
    return HEAD + "\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


class Command(BaseCommand):
    help = "Print docs/roles.md."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(table(), ending="")
