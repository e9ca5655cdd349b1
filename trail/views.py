"""The trail for compliance officers: read it, look at one entry, keep checkpoints, export. Reading is recorded, too."""

import json
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from audit import leaves, merkle, signing
from audit.commands import record
from audit.errors import TrailBroken
from audit.models import Checkpoint, Entry, Leaf, Watch
from audit.queries import Tree, last_head
from core import clock
from trail import bundle, commands
from trail.forms import ExportForm, FilterForm
from trail.queries import Filter, Page, kind_word, names_of, page, sentence, url_of


def _rows(found: Page, reader: User) -> list[dict[str, Any]]:
    names = names_of(found.entries)
    return [
        {
            "entry": entry,
            "what": sentence(entry.action),
            "kind": kind_word(entry.target_kind),
            "who": names[leaves.actor_key(entry)],
            "url": url_of(entry.target_kind, entry.target_id, reader),
            "subject_url": url_of("contacts.contact", str(entry.subject_id or ""), reader),
            "leaf": getattr(entry, "leaf", None),
        }
        for entry in found.entries
    ]


@require_GET
@may(Action.AUDIT_VIEW)
def trail_list(request: StaffRequest) -> HttpResponse:
    form = FilterForm(request.GET or None, zone=request.user.time_zone)
    wanted = form.wanted() if form.is_bound else Filter()
    found = page(wanted, before=request.GET.get("before", ""))
    record("trail.read", by=request.user, filter={name: value for name, value in wanted.as_dict().items() if value})
    kept = request.GET.copy()
    kept.pop("before", None)
    context = {
        "form": form,
        "rows": _rows(found, request.user),
        "older": found.older,
        "kept": kept.urlencode(),
        "filtered": bool(wanted),
        "watch": Watch.objects.filter(pk=1).first(),
        "checkpoint": Checkpoint.objects.order_by("-size").first(),
    }
    return render(request, "trail/list.html", context)


@require_GET
@may(Action.AUDIT_VIEW)
def entry_detail(request: StaffRequest, entry_id: UUID) -> HttpResponse:
    entry = get_object_or_404(Entry.objects.select_related("leaf"), pk=entry_id)
    record("trail.entry_read", by=request.user, target=entry)
    (row,) = _rows(Page([entry], ""), request.user)
    context = {
        **row,
        "details": json.dumps(entry.details, indent=2, ensure_ascii=False, sort_keys=True) if entry.details else "",
        "proof": _proof(row["leaf"]),
    }
    return render(request, "trail/entry.html", context)


def _proof(leaf: Leaf | None) -> dict[str, Any] | None:
    """The entry hashed anew and led up to the last signed head; None: it has no place yet."""
    if leaf is None:
        return None
    try:
        head = last_head()
        assert head is not None
        found = merkle.leaf_hash(leaves.encode(leaf.entry, leaf))
        path = Tree().inclusion(leaf.index, head.size)
        holds = merkle.root_from_inclusion(leaf.index, head.size, found, path) == head.root
    except TrailBroken as refusal:
        return {"holds": False, "why": str(refusal)}
    steps = [step.hex() for step in path]
    return {"holds": holds, "size": head.size, "leaf_hash": found.hex(), "steps": steps, "root": head.root.hex()}


@require_GET
@may(Action.AUDIT_VIEW)
def checkpoints(request: StaffRequest) -> HttpResponse:
    rows = Checkpoint.objects.order_by("-size")
    with suppress(KeyError, ValueError):
        rows = rows.filter(size__lt=int(request.GET["before"]))
    found = list(rows[:51])
    context = {
        "checkpoints": found[:50],
        "older": found[49].size if len(found) > 50 else "",
        "key": signing.verifier_key(),
        "fingerprint": signing.fingerprint(),
    }
    return render(request, "trail/checkpoints.html", context)


def _text(content: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type="text/plain; charset=utf-8", headers=headers)


@require_GET
@may(Action.AUDIT_VIEW)
def checkpoint_file(request: StaffRequest, size: int) -> HttpResponse:
    return _text(get_object_or_404(Checkpoint, size=size).note, f"checkpoint-{size}.txt")


@require_GET
@may(Action.AUDIT_VIEW)
def key_file(request: StaffRequest) -> HttpResponse:
    return _text(signing.verifier_key() + "\n", "trail.vkey")


@require_http_methods(["GET", "POST"])
@may(Action.AUDIT_EXPORT)
def export(request: StaffRequest) -> HttpResponse:
    zone = request.user.time_zone
    form = (
        ExportForm(request.POST, zone=zone)
        if request.method == "POST"
        else ExportForm(initial=request.GET.dict(), zone=zone)
    )
    if request.method != "POST" or not form.is_valid():
        return render(request, "trail/export.html", {"form": form, "fingerprint": signing.fingerprint()})
    earlier = form.cleaned_data["earlier"]
    made = commands.export(form.wanted(), by=request.user)
    name = f"trail-{clock.now():%Y%m%d-%H%M}.zip"
    return StreamingHttpResponse(  # type: ignore[return-value]  # a response all the same
        bundle.stream(made, earlier=earlier.size if earlier else None),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
