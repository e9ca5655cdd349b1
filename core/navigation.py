"""The rail: what the product has, where it is, and which action opens it. Shows nothing a role may not open."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class Place:
    label: str
    #: URL name; the place is left out where no room has brought it.
    url_name: str
    #: An accounts action; empty: everybody who is signed in.
    action: str = ""
    icon: str = ""
    inside: tuple["Place", ...] = ()
    #: Paths below these belong here, too.
    covers: tuple[str, ...] = ()


@dataclass(slots=True)
class Link:
    label: str
    url: str
    icon: str = ""
    #: "page": this very page; "true": a page below it; "": elsewhere.
    current: str = ""
    inside: list["Link"] = field(default_factory=list)


RAIL: tuple[Place, ...] = (
    Place("Home", "home", icon="home"),
    Place(
        "People",
        "contacts:list",
        "contacts.view",
        "people",
        inside=(
            Place("Contacts", "contacts:list", "contacts.view"),
            Place("Imports", "contacts:imports", "contacts.import"),
            Place("Attributes", "contacts:attributes", "attributes.manage"),
        ),
    ),
    Place(
        "Segments",
        "segments:list",
        "segments.view",
        "segment",
        inside=(
            Place("Segments", "segments:list", "segments.view"),
            Place("Exports", "segments:exports", "exports.view"),
        ),
    ),
    Place("Templates", "content:list", "templates.view", "template"),
    Place("Campaigns", "campaigns:list", "campaigns.view", "campaign"),
    Place(
        "Workflows",
        "workflows:list",
        "workflows.numbers",
        "workflow",
        inside=(
            Place("Journeys", "workflows:list", "workflows.numbers"),
            Place("Events", "workflows:events", "workflows.view"),
            Place("Webhooks", "workflows:endpoints", "workflows.view"),
        ),
    ),
    Place("Delivery", "delivery:overview", "delivery.view", "delivery"),
    Place(
        "Compliance",
        "consent:ledger",
        "consent.view",
        "compliance",
        inside=(
            Place("Consents", "consent:ledger", "consent.view"),
            Place("Topics", "consent:topics", "topics.manage"),
            Place("Suppressed addresses", "consent:suppressions", "suppression.manage"),
            Place("Trail", "trail:list", "audit.view"),
        ),
    ),
    Place(
        "Settings",
        "organization",
        "settings.manage",
        "settings",
        inside=(
            Place("Organization", "organization", "settings.manage"),
            Place("Staff", "accounts:staff", "staff.manage"),
            Place("Recoveries", "accounts:resets", "staff.recover"),
            Place("API tokens", "accounts:tokens", "tokens.own"),
        ),
    ),
    Place("Mailbox", "mailbox:list", "contacts.view", "mailbox"),
)


def _url(name: str) -> str | None:
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def _current(url: str, path: str) -> str:
    if url == path:
        return "page"
    return "true" if url != "/" and path.startswith(url) else ""


def links(may: Callable[[str], bool], path: str, places: tuple[Place, ...] = RAIL) -> list[Link]:
    """The rail for somebody who `may`, standing at `path`. Of several that hold the path, the deepest is current."""
    shown: list[Link] = []
    for place in places:
        inside = links(may, path, place.inside)
        url = _url(place.url_name) if not place.action or may(place.action) else None
        if url is None and not inside:
            continue
        link = Link(place.label, url or inside[0].url, place.icon, inside=inside)
        link.current = _current(link.url, path)
        if inside:
            link.current = "true" if any(child.current for child in inside) else ""
        shown.append(link)
    best = max((len(link.url) for link in shown if link.current and not link.inside), default=0)
    for link in shown:
        if not link.inside and len(link.url) < best:
            link.current = ""
    return shown
