"""The builder. Each step posts the whole form; the counts are asked for beside it."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.errors import DomainError
from segments import catalog as catalogs
from segments import commands, counting, draft, offers, queries, steps, unsaved
from segments.asking import Answer
from segments.builder import Builder
from segments.catalog import Catalog
from segments.errors import Problem, RuleError
from segments.models import Segment
from segments.rules import parse, parse_leniently
from segments.tree import Node, Rule
from segments.views.shared import live, sample_for
from segments.views.unsaved import mark_in


def _page(
    request: StaffRequest, segment: Segment | None, root: draft.Group, *, saves: bool, **more: Any
) -> HttpResponse:
    catalog = catalogs.load()
    problems: list[Problem] = more.pop("problems", [])
    view = Builder(catalog, problems, code_names(request, root)).draw(
        root, more.pop("focus", ""), more.pop("focus_on", "")
    )
    context = {"segment": segment, "root": view, "saves": saves, "problems": problems, "live": live(request), **more}
    return render(request, "segments/build.html", context)


def code_names(request: StaffRequest, root: draft.Group) -> dict[tuple[str, str], str]:
    least = counting.least_named(request.user)
    asked = {(n.key, code) for _, n in draft.walk(root) if isinstance(n, draft.Clause) for code in n.values if n.key}
    return {
        (key, code.code): code.display
        for key in {key for key, _ in asked}
        for code in queries.codes_offered(key)
        if (key, code.code) in asked and code.people >= least
    }


def _empty() -> draft.Group:
    return draft.Group("all", [draft.Clause()])


@may(Action.SEGMENTS_EDIT)
def segment_new(request: StaffRequest) -> HttpResponse:
    return _build(request, None)


@may(Action.SEGMENTS_EDIT)
def segment_edit(request: StaffRequest, segment_id: UUID) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=segment_id)
    if segment.archived_at is not None:
        messages.error(request, "This segment is archived. Restore it before you change it.")
        return redirect("segments:detail", segment.pk)
    return _build(request, segment)


@may(Action.SEGMENTS_VIEW)
def ask(request: StaffRequest) -> HttpResponse:
    """The builder without a save: for whoever only asks how many."""
    root = draft.from_post(request.POST) if request.method == "POST" else _empty()
    return _page(request, None, root, saves=False)


def _build(request: StaffRequest, segment: Segment | None) -> HttpResponse:
    of, kept = segment, unsaved.find(request.user.pk, segment)
    more: dict[str, Any] = {}
    given: dict[str, str]
    if request.method != "POST":
        if kept and "continue" in request.GET:
            number = _revision(str(kept.form["revision"]))
            more = {"revision": number, "kept": kept, "overtaken": segment is not None and number != segment.revision}
            return _page(request, segment, unsaved.root_of(kept), saves=True, given=kept.form, **more)
        root = draft.from_rule(segment.rule) if segment else _empty()
        given = {"name": segment.name, "description": segment.description} if segment else {}
        more = {"revision": segment.revision, "problems": _stale(segment)} if segment else {}
        return _page(request, segment, root, saves=True, given=given, offer=kept and unsaved.offer_of(kept), **more)
    root = draft.from_post(request.POST)
    given = {"name": request.POST.get("name", ""), "description": request.POST.get("description", "")}
    rule = draft.to_rule(root, catalogs.load())
    refused: dict[str, Any] = {}
    try:
        if segment is None or "as_copy" in request.POST:
            segment = commands.create(rule=rule, by=request.user, **given)
        else:
            revision = _revision(request.POST.get("revision", ""))
            segment = commands.edit(segment, rule=rule, revision=revision, by=request.user, **given)
    except RuleError as refusal:
        refused = {"problems": refusal.problems}
    except DomainError as refusal:
        refused = {"refusal": str(refusal), "code": refusal.code}
    else:
        unsaved.drop(request.user.pk, of, mark=mark_in(request))
        messages.success(request, "Segment saved.")
        return redirect("segments:detail", segment.pk)
    refused["kept"] = kept if kept and kept.mark == mark_in(request) else None
    return _page(request, segment, root, saves=True, given=given, revision=request.POST.get("revision", 0), **refused)


def _revision(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _stale(segment: Segment) -> list[Problem]:
    """What no longer makes sense of a rule that did when it was saved."""
    try:
        parse(segment.rule)
    except RuleError as refusal:
        return refusal.problems
    return []


@may(Action.SEGMENTS_VIEW)
@require_POST
def step(request: StaffRequest) -> HttpResponse:
    """One step of the builder: the tree drawn anew, where the keyboard goes on, and what to say aloud."""
    root = draft.from_post(request.POST)
    done = steps.step(root, request.POST.get("do", ""))
    view = Builder(catalogs.load(), code_names=code_names(request, root)).draw(root, done.name, done.at)
    return render(request, "segments/_step.html", {"root": view, "said": done.said})


@may(Action.SEGMENTS_VIEW)
@require_POST
def preview(request: StaffRequest) -> HttpResponse:
    """The sentence and the counts of what stands in the form; unfinished conditions are left out."""
    root, catalog = draft.from_post(request.POST), catalogs.load()
    rule, problems = parse_leniently(draft.to_rule(root, catalog), catalog)
    wrong = [p for p in problems if not p.unfinished]
    context: dict[str, Any] = {"wrong": wrong, "unfinished": len(problems) - len(wrong), "live": live(request)}
    kept: dict[str, Answer] = {}
    if rule is not None and not wrong:
        context["sentence"] = queries.sentence(rule, catalog, least=counting.least_named(request.user))
        parts = draft.nodes_of(root, rule, {draft.path_of(p.path) for p in problems})
        context["parts"] = len(parts)
        try:
            kept = _counted(request, rule, parts if len(parts) > 1 else {}, catalog)
        except DomainError as refusal:
            context["refusal"] = str(refusal)
    context["answer"] = kept.pop(draft.ROOT, None)
    errors = {draft.path_of(p.path): p.message for p in wrong}
    context["nodes"] = [(name, errors.get(name, ""), kept.get(name)) for name, _ in draft.walk(root)]
    return render(request, "segments/_preview.html", context)


def _counted(request: StaffRequest, rule: Rule, parts: dict[str, Node], catalog: Catalog) -> dict[str, Answer]:
    """How many people the rule matches, and each part of it by itself, by the names of their nodes in the draft.

    Whoever is told counts that must not be played against each other asks for them, for those of the parts expressly.
    """
    how = request.POST.get("count", "")
    if not live(request) and not how:
        return {}
    asked = parts if live(request) or how == "parts" else {}
    answers = counting.ask_parts(rule, list(asked.values()), by=request.user, catalog=catalog)
    return dict(zip([draft.ROOT, *asked], answers, strict=True))


@may(Action.SEGMENTS_VIEW)
@require_POST
def pause(request: StaffRequest) -> HttpResponse:
    """Who builds stopped for a moment: a few of the people."""
    root, catalog = draft.from_post(request.POST), catalogs.load()
    rule, problems = parse_leniently(draft.to_rule(root, catalog), catalog)
    found: dict[str, Any] = {}
    if live(request) and rule is not None and all(p.unfinished for p in problems):
        with suppress(DomainError):
            commands.permit_beside_health(rule, catalog, request.user)
            found = sample_for(request, rule, catalog, exact=True)
    return render(request, "segments/_pause.html", found)


@may(Action.SEGMENTS_VIEW)
@require_POST
def offered(request: StaffRequest) -> HttpResponse:
    """Codes or texts that occur. Asked by POST: what is searched for may say a diagnosis."""
    name, catalog = request.POST.get("clause", ""), catalogs.load()
    node = draft.find(draft.from_post(request.POST), name)
    known = catalog.fields.get(node.key) if isinstance(node, draft.Clause) else None
    if not isinstance(node, draft.Clause) or known is None:
        return HttpResponse("")
    counts = request.user.may(Action.SMALL_CELLS)
    context = offers.offered(node, known, counts=counts)
    return render(request, "segments/_offers.html", {"clause": name, "counts": counts, **context})
