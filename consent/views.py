"""Compliance pages: the ledger, exports and suppressed addresses."""

from collections.abc import Iterable
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

import contacts.queries
from accounts.models import ApiToken, User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from audit.commands import record
from consent import commands, exports, queries
from consent.commands.addresses import hash_of
from consent.forms import CheckForm, ExportForm, FindForm, LedgerFilter, ReleaseForm, SuppressForm, SuppressionFileForm
from consent.models import Authorization, Export, LedgerEntry, Suppression
from core import clock
from core.errors import DomainError
from core.paging import Bounded
from phi.blind import normalise_email

PAGE = 25


def zone_of(request: HttpRequest) -> ZoneInfo:
    try:
        return ZoneInfo(request.user.time_zone)  # type: ignore[union-attr]
    except (KeyError, ValueError):
        return ZoneInfo("UTC")


def name_recorders(entries: Iterable[LedgerEntry]) -> None:
    """Say who recorded each row, in two statements for all of them."""
    rows = list(entries)
    staff = {row.recorded_by for row in rows if row.recorded_by_kind == "staff"}
    tokens = {row.recorded_by for row in rows if row.recorded_by_kind == "token"}
    names = {str(key): name for key, name in User.objects.filter(pk__in=staff).values_list("pk", "name")}
    names |= {
        str(key): f"API token {name}" for key, name in ApiToken.objects.filter(pk__in=tokens).values_list("pk", "name")
    }
    others = {"patient": "the person", "system": "the system"}
    for row in rows:
        row.recorder = names.get(row.recorded_by) or others.get(row.recorded_by_kind, row.recorded_by_kind)  # type: ignore[attr-defined]


def _ids(values: Iterable[str]) -> list[UUID] | None:
    """Contact ids of the address; None where none was given. What is no id finds nobody."""
    found = [value for value in values if value]
    if not found:
        return None
    out = []
    for value in found:
        try:
            out.append(UUID(value))
        except ValueError:
            continue
    return out


@may(Action.CONSENT_VIEW)
def ledger(request: StaffRequest) -> HttpResponse:
    """Every act, newest first, filtered."""
    form = LedgerFilter(request.GET or None, zone=zone_of(request))
    contact_ids = _ids(request.GET.getlist("contact"))
    chosen = form.chosen() if form.is_bound else {}
    found = queries.ledger(contact_ids=contact_ids, **chosen)
    page = Bounded(found, PAGE).get_page(request.GET.get("page"))
    name_recorders(page.object_list)
    return render(
        request,
        "consent/ledger.html",
        {"form": form, "page": page, "contact_ids": contact_ids, "filtered": bool(request.GET), "find": FindForm()},
    )


@may(Action.CONSENT_VIEW)
@require_POST
def find(request: StaffRequest) -> HttpResponse:
    """From an exact address or external id to the ledger of whoever has it; neither ever stands in a URL."""
    form = FindForm(request.POST)
    found: list[UUID] = []
    if form.is_valid():
        person = form.cleaned_data["person"].strip()
        found = contacts.queries.by_email(person) if "@" in person else []
        other = contacts.queries.by_external_id(person)
        found += [other] if other else []
    if not found:
        messages.warning(request, "Nobody has exactly this address or external id. Check the spelling.")
        return redirect("consent:ledger")
    query = QueryDict(mutable=True)
    query.setlist("contact", [str(i) for i in found])
    return redirect(f"{reverse('consent:ledger')}?{query.urlencode()}")


@may(Action.CONSENT_VIEW)
def entry(request: StaffRequest, entry_id: UUID) -> HttpResponse:
    """One act with its evidence."""
    row = get_object_or_404(LedgerEntry.objects.select_related("topic"), pk=entry_id)
    name_recorders([row])
    return render(request, "consent/entry.html", {"entry": row})


@may(Action.CONSENT_VIEW)
def authorization(request: StaffRequest, authorization_id: UUID) -> HttpResponse:
    """A signed authorization as it was signed; reading it is recorded."""
    signed = get_object_or_404(Authorization, pk=authorization_id)
    record("consent.authorization_read", by=request.user, target=signed, subject=signed.contact_id)
    revoked = signed.pk in queries.revoked_authorizations(signed.contact_id)
    return render(request, "consent/authorization.html", {"signed": signed, "revoked": revoked, "now": clock.now()})


@may(Action.CONSENT_EXPORT)
def export(request: StaffRequest) -> HttpResponse:
    """Ask for consents as of a day, and get them as a file."""
    form = ExportForm(request.POST or None, initial={"as_of": clock.now().astimezone(zone_of(request)).date()})
    if request.method == "POST" and form.is_valid():
        try:
            asked = commands.start_export(
                format=form.cleaned_data["format"],
                as_of=form.moment(zone_of(request)),
                purpose=form.cleaned_data["purpose"],
                by=request.user,
            )
        except DomainError as refusal:
            form.add_error("as_of", str(refusal))
        else:
            return _download(asked, request.user)
    past = Paginator(Export.objects.order_by("-at"), 20).get_page(request.GET.get("page"))
    names = dict(User.objects.filter(pk__in=[e.by for e in past]).values_list("pk", "name"))
    for each in past:
        each.who = names.get(each.by, "")  # type: ignore[attr-defined]
    return render(request, "consent/export.html", {"form": form, "past": past})


def _download(asked: Export, by: User) -> HttpResponse:
    def done(rows: int, sha256: str) -> None:
        commands.finish_export(asked, rows=rows, sha256=sha256, by=by)

    csv = asked.format == Export.Format.CSV
    response = StreamingHttpResponse(
        exports.stream(asked, done), content_type="text/csv; charset=utf-8" if csv else "application/jsonl"
    )
    response["Content-Disposition"] = f'attachment; filename="consents-{asked.as_of:%Y-%m-%d}.{asked.format}"'
    return cast(HttpResponse, response)  # the guards in accounts.requests pass any response on


@may(Action.SUPPRESSION_MANAGE)
def suppressions(request: StaffRequest) -> HttpResponse:
    """Addresses that get nothing. Only hashes are kept: the list cannot show them, but say whether one is on it."""
    page = Paginator(queries.suppressions(), PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "add": SuppressForm(prefix="add"), "check": CheckForm(prefix="check")}
    return render(request, "consent/suppressions.html", context)


@may(Action.SUPPRESSION_MANAGE)
@require_POST
def suppress(request: StaffRequest) -> HttpResponse:
    form = SuppressForm(request.POST, prefix="add")
    if form.is_valid():
        try:
            commands.suppress(**form.cleaned_data, by=request.user)
        except DomainError as refusal:
            form.add_error("address", str(refusal))
        else:
            messages.success(request, "Nothing is sent to this address any more.")
            return redirect("consent:suppressions")
    page = Paginator(queries.suppressions(), PAGE).get_page(1)
    return render(request, "consent/suppressions.html", {"page": page, "add": form, "check": CheckForm(prefix="check")})


@may(Action.SUPPRESSION_MANAGE)
def suppress_file(request: StaffRequest) -> HttpResponse:
    """Bring a suppression list along from another system."""
    form = SuppressionFileForm(request.POST or None, request.FILES or None)
    taken = None
    if request.method == "POST" and form.is_valid():
        taken = commands.suppress_many(form.cleaned_data["file"], reason=form.cleaned_data["reason"], by=request.user)
        form = SuppressionFileForm()
    return render(request, "consent/suppress_file.html", {"form": form, "taken": taken})


@may(Action.SUPPRESSION_MANAGE)
@require_POST
def check(request: StaffRequest) -> HttpResponse:
    """Whether an address is on the list, and why."""
    form = CheckForm(request.POST, prefix="check")
    held = None
    if form.is_valid():
        own = hash_of(normalise_email(form.cleaned_data["address"]))
        held = queries.suppressions().filter(address_hash=own).first()
        if held is not None:
            return redirect("consent:release", held.pk)
        messages.success(request, "This address is not suppressed.")
        return redirect("consent:suppressions")
    page = Paginator(queries.suppressions(), PAGE).get_page(1)
    context = {"page": page, "add": SuppressForm(prefix="add"), "check": form}
    return render(request, "consent/suppressions.html", context)


@may(Action.SUPPRESSION_MANAGE)
def release(request: StaffRequest, suppression_id: UUID) -> HttpResponse:
    """One suppressed address, and the way to lift it."""
    held = get_object_or_404(Suppression, pk=suppression_id, topic=None)
    form = ReleaseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            commands.release(held, note=form.cleaned_data["note"], by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "This address may be written to again, as far as the person's own word goes.")
            return redirect("consent:suppressions")
    return render(request, "consent/release.html", {"held": held, "form": form})
