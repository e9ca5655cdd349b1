"""Template tags every page may use. Registered as builtins; docs/pages.md has a snippet for each."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django import forms, template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.paginator import Page
from django.forms.boundfield import BoundField
from django.template import Context, Node, NodeList
from django.template.base import FilterExpression, Parser, Token
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core import navigation, states
from core.cells import coarse
from core.components import compile_component, compile_slot
from core.icons import ICONS

register = template.Library()
register.tag("ui", compile_component)
register.tag("slot", compile_slot)

# Who may


def _may(context: Context, action: str) -> bool:
    user = context.get("user") or getattr(context.get("request"), "user", None)
    return bool(getattr(user, "is_authenticated", False)) and bool(user.may(action))  # type: ignore[union-attr]


class IfMayNode(Node):
    def __init__(self, action: FilterExpression, yes: NodeList, no: NodeList) -> None:
        self.action, self.yes, self.no = action, yes, no

    def render(self, context: Context) -> SafeString:
        return (self.yes if _may(context, self.action.resolve(context)) else self.no).render(context)


@register.tag
def if_may(parser: Parser, token: Token) -> IfMayNode:
    """{% if_may "contacts.view" %}…{% else %}…{% end_if_may %}"""
    _, action = token.split_contents()
    yes = parser.parse(("else", "end_if_may"))
    no = NodeList()
    if parser.next_token().contents == "else":
        no = parser.parse(("end_if_may",))
        parser.delete_first_token()
    return IfMayNode(parser.compile_filter(action), yes, no)


@register.simple_tag(takes_context=True)
def may(context: Context, action: str) -> bool:
    """{% may "contacts.edit" as editable %}"""
    return _may(context, action)


@register.inclusion_tag("ui/rail.html", takes_context=True)
def rail(context: Context) -> dict[str, object]:
    request = context.get("request")
    return {"links": navigation.links(lambda action: _may(context, action), request.path if request else "")}


# Small things


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{}"/></svg>',
        size,
        ICONS[name],
    )


@register.inclusion_tag("ui/badge.html")
def badge(state: str, label: str = "", tone: str = "", icon: str = "") -> dict[str, object]:
    """A state as word, icon and colour. Known states (core.states) bring theirs; others are given."""
    known = states.look(str(state))
    return {"label": label or known.label, "tone": tone or known.tone, "icon": icon or known.icon}


@register.inclusion_tag("ui/tab.html", takes_context=True)
def tab(context: Context, label: str, url: str, count: int | None = None, within: bool = False) -> dict[str, object]:
    """within: pages below its address belong to it, too."""
    path = getattr(context.get("request"), "path", None)
    inside = within and path is not None and path.startswith(f"{url.rstrip('/')}/")
    return {"label": label, "url": url, "count": count, "current": path == url or inside}


@register.inclusion_tag("ui/steps.html")
def steps(*labels: str, current: int) -> dict[str, object]:
    """{% steps "Upload" "Map" "Check" current=2 %}: counted from 1."""
    return {
        "steps": [
            (label, "done" if n < current else "now" if n == current else "") for n, label in enumerate(labels, 1)
        ]
    }


@register.simple_tag
def masked(length: int = 8) -> SafeString:
    """Stands for a value this page does not show."""
    return format_html('<span class="masked" aria-hidden="true">{}</span><span class="sr">hidden</span>', "•" * length)


# Numbers and moments


def _zone(context: Context) -> ZoneInfo:
    user = context.get("user") or getattr(context.get("request"), "user", None)
    try:
        return ZoneInfo(getattr(user, "time_zone", "") or "UTC")
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


@register.simple_tag(takes_context=True)
def moment(context: Context, value: datetime | date | None, form: str = "full") -> SafeString:
    """A moment in the reader's zone, named: form "full", "short" (no year, no zone), "date" or "time"."""
    if value is None:
        return mark_safe('<span class="soft">—</span>')
    if not isinstance(value, datetime):
        return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{value.day} {value:%b %Y}")
    local = timezone.localtime(value, _zone(context))
    texts = {
        "full": f"{local.day} {local:%b %Y, %H:%M %Z}",
        "short": f"{local.day} {local:%b, %H:%M}",
        "date": f"{local.day} {local:%b %Y}",
        "time": f"{local:%H:%M:%S %Z}",
    }
    return format_html(
        '<time datetime="{}" title="{}" class="nowrap">{}</time>', value.isoformat(), texts["full"], texts[form]
    )


@register.filter
def count(number: int | None, noun: str) -> str:
    """{{ 1|count:"person,people" }}: 1 person; {{ 12408|count:"contact" }}: 12,408 contacts."""
    one, _, many = noun.partition(",")
    n = number or 0
    return f"{intcomma(n)} {one if n == 1 else many or one + 's'}"


@register.simple_tag(takes_context=True)
def cell(context: Context, number: int | None, noun: str = "") -> str:
    """A count about people; who may see aggregates only is told it coarsely (core.cells)."""
    n = number or 0
    if _may(context, "reports.small_cells"):
        return count(n, noun) if noun else str(intcomma(n))
    one, _, many = noun.partition(",")
    return f"{coarse(n)} {many or one + 's' if noun else ''}".strip()


@register.filter
def initials(name: str) -> str:
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@register.filter
def share(part: int | None, whole: int | None) -> str:
    """{{ opened|share:sent }}: 12.4 %"""
    if not whole:
        return "—"
    percent = 100 * (part or 0) / whole
    return f"{percent:.1f} %" if 0 < percent < 99.95 else f"{percent:.0f} %"


@register.simple_tag
def tenths(done: int, total: int) -> str:
    """How far, in steps of ten percent: for saying progress aloud without saying every step of it."""
    return f"{100 * done // total // 10 * 10 if total else 0} percent"


@register.filter
def duration(seconds: float | None) -> str:
    """{{ 95|duration }}: 2 minutes. Rounded to what a waiting person cares about."""
    s = round(seconds or 0)
    if s < 60:
        return count(s, "second")
    return count(round(s / 60), "minute") if s < 5400 else count(round(s / 3600), "hour")


# Forms


@register.inclusion_tag("ui/field.html")
def field(
    bound: BoundField,
    label: str = "",
    help: str = "",
    note: str = "optional",
) -> dict[str, object]:
    """`note` stands beside the label of a field that may be left empty."""
    widget = bound.field.widget
    if help:
        bound.help_text = help
    kind = "field"
    if isinstance(widget, forms.CheckboxInput):
        kind = "check"
    elif bound.use_fieldset:
        kind = "group"
    return {"field": bound, "label": label or bound.label, "kind": kind, "note": note}


@register.inclusion_tag("ui/fields.html")
def fields(form: forms.BaseForm) -> dict[str, object]:
    """All errors that belong to no field, then every field in order."""
    return {"form": form}


@register.inclusion_tag("ui/form_errors.html")
def form_errors(form: forms.BaseForm) -> dict[str, object]:
    return {"form": form}


# Lists and pictures


@register.inclusion_tag("ui/pager.html", takes_context=True)
def pager(context: Context, page: Page[Any], noun: str = "row") -> dict[str, object]:
    """Where one is in a list, and the way on; keeps the filters in the address."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    kept = query.urlencode()
    return {"page": page, "noun": noun, "prefix": f"?{kept}&page=" if kept else "?page="}


@register.inclusion_tag("ui/chart.html", takes_context=True)
def chart(
    context: Context, data: Mapping[str, Any], title: str, kind: str = "line", unit: str = ""
) -> dict[str, object]:
    """A chart with its table behind it.

    `data`: {"x": [moments | words], "series": [{"label": str, "values": [numbers]}]}; moments are aware datetimes.
    """
    x: Sequence[Any] = data["x"]
    timed = bool(x) and isinstance(x[0], date)
    payload = {
        "kind": kind,
        "timed": timed,
        "zone": _zone(context).key,
        "x": [v.timestamp() if isinstance(v, datetime) else str(v) for v in x],
        "series": data["series"],
    }
    rows = [(v, [s["values"][n] for s in data["series"]]) for n, v in enumerate(x)]
    return {
        "user": context.get("user"),
        "id": f"chart-{uuid4().hex[:8]}",
        "title": title,
        "unit": unit,
        "timed": timed,
        "payload": json.dumps(payload),
        "series": data["series"],
        "rows": rows,
    }


@register.simple_tag
def spark(values: Sequence[float], label: str) -> SafeString:
    """A line the size of a word; `label` says what it shows."""
    width, height, top = 160.0, 36.0, max([*values, 1])
    step = width / max(len(values) - 1, 1)
    points = " ".join(f"{n * step:.1f},{height - 2 - (height - 4) * v / top:.1f}" for n, v in enumerate(values))
    return format_html(
        '<svg class="spark" viewBox="0 0 160 36" role="img" aria-label="{}" preserveAspectRatio="none">'
        '<polyline vector-effect="non-scaling-stroke" points="{}"/></svg>',
        label,
        points,
    )
