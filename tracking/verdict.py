"""Who did it: a person, or a machine that opens mail for people (TRK-06). Pure.

Security gateways click every link before delivery, mailbox providers fetch pictures ahead of the reader. Nothing tells
them apart for sure, so what cannot be told is said to be unknown, and nothing that discloses may depend on it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from tracking.models import Event

Verdict = Event.Verdict

#: A gateway opens everything while the message is still on its way in.
ON_ARRIVAL = timedelta(seconds=10)
#: Nobody reads two destinations of one mail within this time; a scanner visits all of them.
BURST = timedelta(seconds=2)
#: One network asking for this many different messages within a minute is a gateway, whatever it calls itself.
CROWD = 10

_SCANNER = re.compile(
    r"barracuda|proofpoint|mimecast|safelinks|microsoft office|msoffice|ms-office|office protocol discovery"
    r"|trend ?micro|symantec|messagelabs|fireeye|trellix|sophos|forcepoint|websense|cisco|ironport|zscaler|cloudmark"
    r"|spamassassin|rspamd|virustotal|urlscan|netcraft|google-?safety|googlebot|bingbot|bingpreview|yandex"
    r"|slackbot|skypeuripreview|facebookexternalhit|twitterbot|whatsapp|telegrambot|linkedinbot|discordbot"
    r"|\bbot\b|crawler|spider|scanner|preview|headless|phantomjs|puppeteer|playwright|selenium"
    r"|curl|wget|python|aiohttp|httpx|okhttp|java/|apache-httpclient|go-http-client|libwww|perl|ruby|node-fetch|axios"
    r"|winhttp|powershell|guzzle|postman|insomnia",
    re.IGNORECASE,
)
#: Fetches when the reader opens, on the reader's behalf: real, but it hides who and where.
_IMAGE_PROXY = re.compile(r"googleimageproxy|ggpht|yahoomailproxy|duckduckgo-favicons", re.IGNORECASE)
_PHONE = re.compile(r"iphone|ipad|android|mobile", re.IGNORECASE)
_DESKTOP = re.compile(r"windows nt|macintosh|x11|linux x86|cros|thunderbird|outlook|applewebkit|gecko/", re.IGNORECASE)


class Judged(NamedTuple):
    verdict: str
    #: Coarse client class: "phone", "desktop", "proxy", "prefetch", "scanner" or "" (cannot be told).
    client: str


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known of one request for a pixel or a link. None of it is kept but the verdict and the class."""

    kind: str
    headers: Mapping[str, str]  # names in lower case
    since_sent: timedelta
    #: Different messages the same network asked for within the last minute, this one included.
    crowd: int = 1


def judge(visit: Visit) -> Judged:
    """The verdict as far as this one request shows; `in_burst` may turn it into MACHINE later."""
    agent = visit.headers.get("user-agent", "").strip()
    client = client_of(agent)
    if client == "scanner" or visit.crowd >= CROWD:
        return Judged(Verdict.MACHINE, "scanner")
    if _prefetches(visit.headers):
        return Judged(Verdict.MACHINE, "prefetch")
    if visit.kind == Event.Kind.OPEN and agent in ("", "Mozilla/5.0"):
        # Apple's Mail Privacy Protection asks for every picture with just this, opened or not.
        return Judged(Verdict.MACHINE, "prefetch")
    if client == "proxy":
        return Judged(Verdict.UNKNOWN, "proxy")
    if visit.since_sent < ON_ARRIVAL:
        return Judged(Verdict.MACHINE if visit.kind == Event.Kind.CLICK else Verdict.UNKNOWN, client)
    return Judged(Verdict.HUMAN if client else Verdict.UNKNOWN, client)


def client_of(agent: str) -> str:
    """The coarse class of a user agent."""
    if _IMAGE_PROXY.search(agent):
        return "proxy"
    if _SCANNER.search(agent):
        return "scanner"
    if _PHONE.search(agent):
        return "phone"
    return "desktop" if _DESKTOP.search(agent) else ""


def _prefetches(headers: Mapping[str, str]) -> bool:
    """Whether the client says itself that nobody asked for this yet."""
    said = " ".join(headers.get(name, "") for name in ("sec-purpose", "purpose", "x-purpose", "x-moz"))
    return any(word in said.lower() for word in ("prefetch", "preview", "prerender"))


def in_burst(clicks: Iterable[tuple[datetime, int]]) -> list[bool]:
    """For each click (moment, link) of one message: is there another link's click within BURST of it?

    What tracking.queries asks of PostgreSQL with a window; later clicks so downgrade earlier ones.
    """
    all_clicks = list(clicks)
    return [any(link != other and abs(at - then) <= BURST for then, other in all_clicks) for at, link in all_clicks]
