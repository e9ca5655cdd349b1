"""The wizard's steps between upload and dry run: columns and consent."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import attributes, imports, mapping, queries, signals
from contacts.errors import BadMapping
from contacts.forms import TIERS, ConsentForm, ReadingForm
from contacts.importing import head
from contacts.models import Attribute, Import, Kind
from core import clock
from core.errors import DomainError

Shape = Import.Shape
#: The choice "make a new attribute of this column".
NEW = "+"


def _options(owner: Import, live: dict[str, Attribute]) -> list[tuple[str, str]]:
    if owner.shape == Shape.CODED:
        return [("", "Leave out"), *mapping.CODED_ROLES.items()]
    plain = [(key, item.label) for key, item in live.items() if item.kind != Kind.CODED]
    return [("", "Leave out"), *plain, (NEW, "New attribute…")]


def _page(request: StaffRequest, owner: Import, *, error: str = "", posted: bool = False) -> HttpResponse:
    header = bool(owner.mapping.get("header", True))
    seen, live = head.read(owner, header=header), queries.attributes()
    guessed = mapping.guess(owner.mapping["headers"], owner.shape, live)
    columns = []
    for place, (name, samples) in enumerate(zip(owner.mapping["headers"], seen.samples, strict=True)):
        chosen = request.POST.get(f"column-{place}", "") if posted else owner.mapping["columns"][place]
        columns.append(
            {
                "place": place,
                "name": name,
                "samples": [mapping.shape_of(sample) for sample in list(dict.fromkeys(samples))[:3]],
                "chosen": chosen,
                "unknown": not guessed[place],
                "label": request.POST.get(f"label-{place}") or name[:80],
                "kind": request.POST.get(f"kind-{place}") or mapping.guess_kind(samples),
                "tier": request.POST.get(f"tier-{place}") or "phi",
            }
        )
    reading = {"encoding": owner.encoding, "delimiter": owner.delimiter, "header": header}
    context = {
        "owner": owner,
        "columns": columns,
        "options": _options(owner, live),
        "kinds": [choice for choice in Kind.choices if choice[0] not in (Kind.CODED, Kind.CHOICE)],
        "tiers": TIERS,
        "coded_lists": [item for item in live.values() if item.kind == Kind.CODED],
        "coded_chosen": request.POST.get("coded") or (owner.coded_attribute and str(owner.coded_attribute.pk)) or "",
        "day_first": bool(request.POST.get("day_first")) if posted else bool(owner.mapping.get("day_first")),
        "duplicates": seen.duplicates,
        "reading": ReadingForm(initial=reading),
        "error": error,
        "new": NEW,
        "mapped": sum(bool(column["chosen"]) for column in columns),
        "left_out": sum(not column["chosen"] for column in columns),
    }
    return render(request, "contacts/import_columns.html", context)


def _define(request: StaffRequest, place: int) -> str:
    """The key of the attribute somebody makes of a column, on the way."""
    choice = dict(Kind.choices), dict(TIERS)
    kind, tier = request.POST.get(f"kind-{place}", ""), request.POST.get(f"tier-{place}", "")
    label = request.POST.get(f"label-{place}", "").strip()[:80]
    if not label or kind not in choice[0] or kind in (Kind.CODED, Kind.CHOICE) or tier not in choice[1]:
        raise BadMapping("Give each new attribute a name, a kind and a sensitivity.")
    return attributes.define(label=label, kind=kind, sensitivity=tier, by=request.user).key


@may(Action.CONTACTS_IMPORT)
def columns(request: StaffRequest, import_id: UUID) -> HttpResponse:
    owner = get_object_or_404(Import.objects.select_related("coded_attribute"), pk=import_id)
    if owner.started_at or owner.state not in imports.OPEN:
        return redirect("contacts:import", owner.pk)
    if request.method != "POST":
        return _page(request, owner)
    try:
        with transaction.atomic():
            _set(request, owner)
    except DomainError as refusal:
        return _page(request, owner, error=str(refusal), posted=True)
    if owner.shape == Shape.CODED:
        return _check(request, owner)
    return redirect("contacts:import_consent", owner.pk)


def _set(request: StaffRequest, owner: Import) -> None:
    chosen = [request.POST.get(f"column-{place}", "") for place in range(len(owner.mapping["headers"]))]
    may_define = request.user.may(Action.ATTRIBUTES_MANAGE)
    if NEW in chosen and not may_define:
        raise BadMapping("Your role cannot define attributes. Leave the column out, or ask an administrator.")
    keys = [_define(request, place) if key == NEW else key for place, key in enumerate(chosen)]
    coded = None
    if owner.shape == Shape.CODED:
        live = queries.attributes().values()
        coded = next((item for item in live if str(item.pk) == request.POST.get("coded")), None)
    day_first = bool(request.POST.get("day_first"))
    imports.set_columns(owner, columns=keys, day_first=day_first, coded_attribute=coded, by=request.user)


def _check(request: StaffRequest, owner: Import) -> HttpResponse:
    imports.check(owner, by=request.user)
    return redirect("contacts:import", owner.pk)


@require_POST
@may(Action.CONTACTS_IMPORT)
def reread(request: StaffRequest, import_id: UUID) -> HttpResponse:
    """Read the same bytes another way."""
    owner = get_object_or_404(Import, pk=import_id)
    form = ReadingForm(request.POST)
    try:
        if form.is_valid():
            imports.reread(owner, **form.cleaned_data, by=request.user)
    except DomainError as refusal:
        return _page(request, owner, error=str(refusal))
    return redirect("contacts:import_columns", owner.pk)


def _topics() -> list[tuple[str, str]]:
    """What the room of consent offers; this room may not ask it directly."""
    answers: list[tuple[Any, Any]] = signals.topics_wanted.send(sender=Import)
    return [topic for _, answer in answers for topic in answer]


@may(Action.CONTACTS_IMPORT)
def consent(request: StaffRequest, import_id: UUID) -> HttpResponse:
    owner = get_object_or_404(Import, pk=import_id)
    if owner.started_at or owner.state not in imports.OPEN:
        return redirect("contacts:import", owner.pk)
    known: dict[str, Any] = {"stated": "yes", **owner.consent} if owner.consent else {}
    form = ConsentForm(request.POST or None, initial=known, topics=_topics(), today=clock.now().date())
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                imports.set_consent(owner, consent=form.cleaned_data["consent"], by=request.user)
                return _check(request, owner)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
    return render(request, "contacts/import_consent.html", {"owner": owner, "form": form})
