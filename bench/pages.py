"""How long the server takes for each page: `make bench BENCH=pages SIZE=n`, or with DATABASE_URL of a seeded database
`python -m bench.pages`. Every page that answers GET, as each role that may open it, with objects that exist.

JSON lines: name (role, page), value (median), unit ms, worst of 5, the first one, statements, and `cpu`: milliseconds of
this process alone, which others on the machine do not change. At the end the slowest ten.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

from bench._seeded import run

ROUNDS = 5
#: Where pages lead to what is not there in a seeded database, or away from it.
LEFT_OUT = re.compile(r"^(preferences|tracking|mailbox):|/join/|/local/")

#: Lists as people narrow them down, the rarest first.
FILTERED = [
    ("consent.view", "consent:ledger?rare", "/compliance/consent/?act=special_consent"),
    ("consent.view", "consent:ledger?source", "/compliance/consent/?source=staff"),
    ("consent.view", "consent:ledger?old", "/compliance/consent/?act=opt_in&since=2020-01-01&until=2025-11-20"),
    ("suppression.manage", "consent:suppressions?reason", "/compliance/consent/suppressed/?reason=complained"),
    ("campaigns.view", "campaigns:list?page2", "/campaigns/?page=2"),
    ("audit.view", "trail:list?action", "/compliance/trail/?action=seed.million"),
    ("audit.view", "trail:list?about", "/compliance/trail/?about=01890000-0000-7000-8000-000000000000"),
]


def objects() -> dict[str, list[str]]:
    """Ids by the name that routes give them; the ones with most to show."""
    from accounts.models import StaffSession, User
    from audit.models import Checkpoint, Entry
    from campaigns.models import Campaign
    from consent.models import Authorization, LedgerEntry, Suppression, Topic
    from contacts.models import Attribute, Contact, Import
    from content.models import Template, TemplateVersion
    from delivery.models import Delivery, Relay, SendingDomain
    from segments.models import Segment

    campaigns = [
        Campaign.objects.filter(state="FINISHED").order_by("-audience_size").first(),
        Campaign.objects.filter(state="IN_REVIEW").first(),
    ]
    busiest = Delivery.objects.filter(origin_id=campaigns[0].pk, outcome="sent").first() if campaigns[0] else None
    contact = Contact.objects.filter(pk=busiest.contact_id).first() if busiest else Contact.objects.first()
    newest = Entry.objects.filter(leaf__isnull=False).order_by("-at").first() or Entry.objects.order_by("-at").first()
    segments = Segment.objects.filter(archived_at=None)
    found: dict[str, list[Any]] = {
        "campaign_id": campaigns,
        "contact_id": [contact],
        "delivery_id": [busiest],
        "segment_id": [*segments.order_by("-last_count")[:1], *segments.order_by("-created_at")[2:3]],
        "template_id": [Template.objects.order_by("created_at").first()],
        "version_id": [TemplateVersion.objects.first()],
        "topic_id": [Topic.objects.order_by("number").first()],
        "entry_id": [LedgerEntry.objects.order_by("-number").first()],
        "trail_entry_id": [newest],
        "suppression_id": [Suppression.objects.first()],
        "authorization_id": [Authorization.objects.first()],
        "attribute_id": [Attribute.objects.filter(built_in=False).first()],
        "import_id": [Import.objects.order_by("-created_at").first()],
        "relay_id": [Relay.objects.first()],
        "domain_id": [SendingDomain.objects.first()],
        "user_id": [User.objects.order_by("created_at").first()],
        "session_id": [StaffSession.objects.first()],
        "size": [Checkpoint.objects.order_by("-size").first()],
    }
    return {name: [str(one.pk) for one in held if one is not None] for name, held in found.items()}


def addresses(known: dict[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """(access, name, path) of every page whose arguments are known."""
    from tests.accounts.routes import PAGES

    yield from FILTERED
    for route in PAGES:
        if LEFT_OUT.search(f"{route.name}") or LEFT_OUT.search(route.pattern):
            continue
        names = re.findall(r"<(?:\w+:)?(\w+)>", route.pattern)
        keys = ["trail_entry_id" if route.name.startswith("trail:") and name == "entry_id" else name for name in names]
        if any(not known.get(key) for key in keys):
            continue
        for choice in range(len(known[keys[0]]) if keys else 1):
            path = route.pattern
            for name, key in zip(names, keys, strict=True):
                path = re.sub(rf"<(?:\w+:)?{name}>", known[key][min(choice, len(known[key]) - 1)], path)
            yield str(route.access), f"{route.name}{f'#{choice}' if choice else ''}", path


def clients() -> dict[str, Any]:
    """A signed-in client for each role."""
    from django.test import Client

    from accounts.models import TotpDevice, User
    from accounts.policy import Role
    from tests.accounts.factories import UserFactory, sign_in

    made = {}
    for role in Role:
        email = f"pages-{role.value}@bench.example"
        client = Client(HTTP_HOST="localhost", raise_request_exception=False)
        user = User.objects.filter(email=email).first() or UserFactory(email=email, roles=[role.value])
        TotpDevice.objects.filter(user=user).delete()  # the pages that add one leave theirs
        sign_in(client, user)
        made[role.value] = client
    return made


def ask(client: Any, path: str) -> tuple[int, float]:
    """Status and milliseconds; of a stream until all of it is there."""
    began = time.perf_counter()
    answer = client.get(path)
    if answer.streaming:
        for _ in answer.streaming_content:
            pass
    return answer.status_code, (time.perf_counter() - began) * 1_000


def measure() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from accounts.policy import Action, Role, allowed

    pages = list(addresses(objects()))
    found: list[tuple[float, float, int, str]] = []
    for role, client in clients().items():
        for access, name, path in pages:
            if access in set(Action) and not allowed([Role(role)], Action(access)):
                continue
            status, first = ask(client, path)
            if status == 405:
                continue
            busy = time.process_time()
            taken = [ask(client, path)[1] for _ in range(ROUNDS if first < 3_000 else 1)]
            busy = (time.process_time() - busy) * 1_000 / len(taken)
            with CaptureQueriesContext(connection) as queries:
                ask(client, path)
            row = (statistics.median(taken), max(first, *taken), len(queries), f"{role} {name}")
            found.append(row)
            print(
                json.dumps(
                    {
                        **{"name": row[3], "value": round(row[0], 1), "unit": "ms", "worst": round(row[1], 1)},
                        **{"first": round(first, 1), "cpu": round(busy, 1), "statements": row[2], "status": status},
                    }
                ),
                flush=True,
            )
    found.sort(reverse=True)
    for place, (median, worst, count, name) in enumerate(found[:10], 1):
        said = {"name": f"pages.slowest.{place}", "value": round(median, 1), "unit": "ms", "worst": round(worst, 1)}
        print(json.dumps({**said, "page": name, "statements": count}), flush=True)
    over = sum(1 for row in found if row[0] > 300)
    print(json.dumps({"name": "pages.over_300_ms", "value": over, "unit": f"of {len(found)} pages"}), flush=True)


if __name__ == "__main__":
    run(measure, int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
