"""Finding one's way in the trail: filters, pages, names and what a page says of the proof."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection
from django.db.models import Q
from django.urls import NoReverseMatch, resolve, reverse

from accounts.models import ApiToken, User
from accounts.policy import Action
from audit.models import Entry

#: Where the things the trail speaks of have their pages.
PAGES = {
    "accounts.user": "accounts:person",
    "campaigns.campaign": "campaigns:detail",
    "consent.authorization": "consent:authorization",
    "consent.ledgerentry": "consent:entry",
    "consent.topic": "consent:topic",
    "contacts.attribute": "contacts:attribute",
    "contacts.contact": "contacts:detail",
    "contacts.import": "contacts:import",
    "content.template": "content:detail",
    "content.templateversion": "content:version",
    "segments.export": "segments:export",
    "segments.segment": "segments:detail",
}
#: Words for things whose own name is not what people call them.
WORDS = {"accounts.user": "Colleague", "accounts.apitoken": "API token", "core.organization": "Organization"}
KINDS = {"system": "The product itself", "patient": "A patient"}


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the trail is asked for; empty: all of it. Moments are ISO 8601 UTC texts, as in leaves."""

    since: str = ""
    until: str = ""
    action: str = ""
    actor: str = ""  # "kind:id", as a leaf has it
    about: str = ""  # id of a contact or of any other thing

    def as_dict(self) -> dict[str, str]:
        return asdict(self)

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def condition(self, prefix: str = "") -> Q:
        """As a condition on entries, or on what leads to one by `prefix`."""
        found = Q()
        for name, value in self._terms():
            found &= Q(**{prefix + name: value})
        if self.about:
            found &= self._about(prefix)
        return found

    def _terms(self) -> Iterable[tuple[str, Any]]:
        if self.since:
            yield "at__gte", datetime.fromisoformat(self.since)
        if self.until:
            yield "at__lt", datetime.fromisoformat(self.until)
        if self.action:
            yield "action", self.action
        if self.actor:
            kind, _, actor_id = self.actor.partition(":")
            yield "actor_kind", kind
            yield "actor_id", actor_id

    def _about(self, prefix: str) -> Q:
        target = Q(**{f"{prefix}target_id": self.about})
        try:
            return target | Q(**{f"{prefix}subject_id": UUID(self.about)})
        except ValueError:
            return target


def moment_text(moment: datetime) -> str:
    """A moment as leaves write it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Page:
    entries: list[Entry]
    #: Cursor of the next, older page; empty: this is the last.
    older: str


def page(wanted: Filter, *, before: str = "", size: int = 50) -> Page:
    """Newest first. `before` is the id of the last entry already seen; an unknown one starts anew."""
    rows = Entry.objects.filter(wanted.condition()).select_related("leaf").order_by("-at", "-id")
    seen = None
    with suppress(ValueError):
        seen = Entry.objects.filter(pk=UUID(before)).first() if before else None
    if seen:
        rows = rows.filter(Q(at__lt=seen.at) | Q(at=seen.at, id__lt=seen.pk))
    found = list(rows[: size + 1])
    return Page(found[:size], str(found[size - 1].pk) if len(found) > size else "")


def actions() -> list[str]:
    """Every action that ever happened, each found by one probe of the index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE known AS ("
            " (SELECT action FROM audit_entry ORDER BY action LIMIT 1) UNION ALL"
            " SELECT (SELECT action FROM audit_entry WHERE action > known.action ORDER BY action LIMIT 1)"
            " FROM known WHERE known.action IS NOT NULL"
            ") SELECT action FROM known WHERE action IS NOT NULL"
        )
        return [row[0] for row in cursor.fetchall()]


def staff() -> list[tuple[str, str]]:
    """Choices of actors: the people who work here, the product itself, patients."""
    people = [(f"staff:{user.pk}", user.name) for user in User.objects.order_by("name")]
    tokens = [(f"token:{token.pk}", f"API token {token.name}") for token in ApiToken.objects.order_by("name")]
    return [("system:", KINDS["system"]), *people, *tokens]


def names_of(entries: Iterable[Entry]) -> dict[str, str]:
    """Who the actors of these entries are, by "kind:id"; two queries."""
    keys = {(entry.actor_kind, entry.actor_id) for entry in entries}
    names = {f"{kind}:{actor_id}": KINDS.get(kind, "Somebody unknown") for kind, actor_id in keys}
    users = User.objects.filter(pk__in=_uuids(keys, "staff"))
    names |= {f"staff:{pk}": name for pk, name in users.values_list("pk", "name")}
    tokens = ApiToken.objects.filter(pk__in=_uuids(keys, "token"))
    return names | {f"token:{pk}": f"API token {name}" for pk, name in tokens.values_list("pk", "name")}


def _uuids(keys: Iterable[tuple[str, str]], kind: str) -> list[UUID]:
    found = []
    for actor_kind, actor_id in keys:
        if actor_kind == kind:
            try:
                found.append(UUID(actor_id))
            except ValueError:
                continue
    return found


def url_of(kind: str, target_id: str, reader: User) -> str:
    """The page of what an entry is about, as far as this reader may open it; else empty."""
    try:
        url = reverse(PAGES[kind], args=[UUID(target_id)])
    except (KeyError, ValueError, NoReverseMatch):
        return ""
    access = getattr(resolve(url).func, "access", "")
    return url if access not in Action or reader.may(Action(access)) else ""


def sentence(action: str) -> str:
    """campaign.sent_back: Campaign: sent back."""
    thing, _, what = action.partition(".")
    return f"{thing.replace('_', ' ').capitalize()}: {what.replace('_', ' ')}" if what else action


def kind_word(kind: str) -> str:
    """accounts.staffsession: Staff session."""
    if not kind:
        return ""
    if kind in WORDS:
        return WORDS[kind]
    try:
        return str(apps.get_model(kind)._meta.verbose_name).capitalize()
    except (LookupError, ValueError):
        return kind
