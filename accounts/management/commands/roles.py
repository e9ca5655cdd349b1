"""Print docs/roles.md: what each role may do, and which address asks for what."""

from typing import Any

from django.core.management.base import BaseCommand

from accounts.policy import POLICY, Action, Role
from accounts.routes import every_route

HEAD = """# Roles

One table, role × action: pages, API and tests read `accounts/policy.py` and nothing else. This page is made by
`python manage.py roles > docs/roles.md`, and the suite fails if it is not what the code says: whoever opens an address
to more people changes this page, too. The suite also asks at every address, as every role, as a stranger and with
every kind of token.
"""
BETWEEN = """
## Addresses

`public`: no sign-in (patients' pages, probes, signing in itself). `half-signed-in`: the password was given, the second
factor is asked for. `signed-in`: any staff past the second factor. All others: an action of the table above; for the
API it is the token's scope as well.
"""


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def table() -> str:
    """The page, as Markdown."""
    actions = [row("Action", "", *Role.labels), row("---", "---", *(":-:" for _ in Role))]
    actions += [row(f"`{a.value}`", a.label, *("yes" if r in POLICY[a] else "" for r in Role)) for a in Action]
    found = [(address.replace("|", r"\|"), who) for route in every_route() for address, who in route.rows]
    addresses = [row("Address", "Who may"), row("---", "---"), *(row(f"`{a}`", f"`{who}`") for a, who in found)]
    return "\n".join([HEAD, *actions, BETWEEN, *addresses, ""])


class Command(BaseCommand):
    help = "Print docs/roles.md."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(table(), ending="")
