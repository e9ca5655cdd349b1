"""Templates: list, start, write with a live preview, versions."""

from uuid import UUID

from csp.decorators import csp_replace
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from content import commands, queries
from content.forms import NewTemplateForm, TemplateForm
from content.models import Template, TemplateVersion
from content.preview import all_personas, persona_called, preview
from content.starters import STARTERS
from core.errors import DomainError

#: A mail in a preview may style itself and show our own images, and do nothing else.
PREVIEW_CSP = {
    "default-src": ["'none'"],
    "style-src": ["'unsafe-inline'"],
    "img-src": ["'self'", "data:"],
    "frame-ancestors": ["'self'"],
    "sandbox": ["allow-same-origin"],
    "script-src": ["'none'"],
    "connect-src": ["'none'"],
    "font-src": ["'none'"],
    "frame-src": ["'none'"],
    "form-action": ["'none'"],
}


@may(Action.TEMPLATES_VIEW)
def template_list(request: StaffRequest) -> HttpResponse:
    return render(
        request,
        "content/list.html",
        {"templates": list(queries.templates()), "can_edit": request.user.may(Action.TEMPLATES_EDIT)},
    )


@may(Action.TEMPLATES_EDIT)
def template_new(request: StaffRequest) -> HttpResponse:
    form = NewTemplateForm(request.POST or None, initial={"starter": request.GET.get("starter", "")})
    if request.method == "POST" and form.is_valid():
        fields = dict(STARTERS.get(form.cleaned_data["starter"], {})) | {"name": form.cleaned_data["name"]}
        template = commands.create_template(by=request.user, **fields)
        return redirect("content:detail", template.pk)
    return render(request, "content/new.html", {"form": form})


@may(Action.TEMPLATES_VIEW)
def template_detail(request: StaffRequest, template_id: UUID) -> HttpResponse:
    template = get_object_or_404(Template, pk=template_id)
    can_edit = request.user.may(Action.TEMPLATES_EDIT) and template.archived_at is None
    return render(request, "content/detail.html", _page(template, TemplateForm(instance=template), can_edit))


@may(Action.TEMPLATES_EDIT)
@require_POST
def template_save(request: StaffRequest, template_id: UUID) -> HttpResponse:
    """Save the draft. htmx (autosave) gets the findings and the new revision; a plain form goes back to the page."""
    template = get_object_or_404(Template, pk=template_id)
    form = TemplateForm(request.POST, instance=Template.objects.get(pk=template.pk))
    status = 200
    if form.is_valid():
        fields = {name: form.cleaned_data[name] for name in commands.FIELDS}
        try:
            template = commands.save_template(
                template, by=request.user, revision=form.cleaned_data["revision"], **fields
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
            status = 409
        else:
            if not request.htmx:
                messages.success(request, "Saved.")
                return redirect("content:detail", template.pk)
    else:
        status = 422
    if request.htmx:
        return render(
            request,
            "content/_saved.html",
            {
                "template": template,
                "form": form,
                "findings": [] if form.errors else queries.findings_for(template),
                "saved": not form.errors,
                "can_edit": True,
            },
        )
    return render(request, "content/detail.html", _page(template, form, can_edit=True), status=status)


def _page(template: Template, form: TemplateForm, can_edit: bool) -> dict[str, object]:
    return {
        "template": template,
        "form": form,
        "can_edit": can_edit,
        "findings": queries.findings_for(template),
        "merge_tags": queries.merge_tags(),
        "personas": all_personas(),
        "versions": list(template.versions.all()[:20]),
    }


@may(Action.TEMPLATES_VIEW)
@xframe_options_sameorigin
@csp_replace(PREVIEW_CSP)  # type: ignore[untyped-decorator]
def template_preview(request: StaffRequest, template_id: UUID) -> HttpResponse:
    """The draft as one persona reads it: a page of its own, for a sandboxed frame."""
    return _preview(request, get_object_or_404(Template, pk=template_id))


@may(Action.TEMPLATES_VIEW)
@xframe_options_sameorigin
@csp_replace(PREVIEW_CSP)  # type: ignore[untyped-decorator]
def version_preview(request: StaffRequest, version_id: UUID) -> HttpResponse:
    """A frozen version as one persona reads it."""
    return _preview(request, get_object_or_404(TemplateVersion.objects.select_related("template"), pk=version_id))


def _preview(request: HttpRequest, what: Template | TemplateVersion) -> HttpResponse:
    shown = preview(what, persona_called(request.GET.get("persona", "")))
    if shown.rendered is None:
        return render(request, "content/preview_problem.html", {"problem": shown.problem})
    if request.GET.get("part") == "text":
        return render(request, "content/preview_text.html", {"text": shown.rendered.text})
    return HttpResponse(shown.rendered.html)


@may(Action.TEMPLATES_VIEW)
def template_subject(request: StaffRequest, template_id: UUID) -> HttpResponse:
    """The subject line above the preview, for the chosen persona."""
    template = get_object_or_404(Template, pk=template_id)
    shown = preview(template, persona_called(request.GET.get("persona", "")))
    return render(request, "content/_subject.html", {"shown": shown, "template": template})


@may(Action.TEMPLATES_VIEW)
def version_detail(request: StaffRequest, version_id: UUID) -> HttpResponse:
    version = get_object_or_404(TemplateVersion.objects.select_related("template"), pk=version_id)
    return render(request, "content/version.html", {"version": version, "personas": all_personas()})


@may(Action.TEMPLATES_EDIT)
@require_POST
def template_duplicate(request: StaffRequest, template_id: UUID) -> HttpResponse:
    template = get_object_or_404(Template, pk=template_id)
    copy = commands.duplicate(template, by=request.user, name=f"Copy of {template.name}"[:120])
    messages.success(request, "Copied. This is the copy.")
    return redirect("content:detail", copy.pk)


@may(Action.TEMPLATES_EDIT)
@require_POST
def template_archive(request: StaffRequest, template_id: UUID) -> HttpResponse:
    template = get_object_or_404(Template, pk=template_id)
    commands.archive(template, by=request.user)
    messages.success(request, "Archived. What was sent with it stays as it was.")
    return redirect("content:list")
