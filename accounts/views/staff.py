"""Settings › Staff: who works here, what they may do, and recovery of whoever lost their factors."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts import commands, factors, queries
from accounts.forms import InviteForm, ProofForm, ReasonForm, RolesForm
from accounts.models import FactorReset, User
from accounts.policy import POLICY, Action, Role
from accounts.requests import StaffRequest, may
from core.errors import DomainError


@may(Action.STAFF_MANAGE)
def staff(request: StaffRequest) -> HttpResponse:
    page = Paginator(queries.staff(), 50).get_page(request.GET.get("page"))
    return render(request, "accounts/staff.html", {"page": page, "resets": list(queries.open_resets())})


@may(Action.STAFF_MANAGE, fresh=True)
def invite(request: StaffRequest) -> HttpResponse:
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person, link = commands.invite(**form.cleaned_data, by=request.user)
        except DomainError as refusal:
            form.add_error("email", str(refusal))
        else:
            return _show_link(request, person, link, "invited")
    return render(request, "accounts/invite.html", {"form": form, "roles": role_table()})


@may(Action.STAFF_MANAGE)
def person(request: StaffRequest, user_id: UUID) -> HttpResponse:
    return _person(request, get_object_or_404(User, pk=user_id))


def _person(request: StaffRequest, user: User, **context: Any) -> HttpResponse:
    context = {
        "person": user,
        "oneself": user.pk == request.user.pk,
        "changes": list(queries.changes_of(user)[:100]),
        "factors": len(queries.factors_of(user)),
        "sessions": queries.sessions_of(user).count(),
        "tokens": sum(token.is_active for token in user.tokens.all()),
        "open_reset": queries.open_reset_of(user),
    } | context
    return render(request, "accounts/person.html", context)


def _show_link(request: StaffRequest, user: User, path: str, why: str) -> HttpResponse:
    """The one time a link is shown: in the answer to the POST that made it."""
    link = request.build_absolute_uri(path)
    return render(request, "accounts/link.html", {"person": user, "link": link, "why": why})


@may(Action.STAFF_MANAGE, fresh=True)
def roles(request: StaffRequest, user_id: UUID) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    form = RolesForm(request.POST or None, initial={"roles": user.roles})
    if request.method == "POST" and form.is_valid():
        try:
            commands.change_roles(user, **form.cleaned_data, by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"Roles of {user.name} are changed. They sign in again to use them.")
            return redirect("accounts:person", user.pk)
    return render(request, "accounts/roles.html", {"form": form, "person": user, "roles": role_table()})


def role_table() -> dict[str, object]:
    """The one table of the product, to read: what each role may do."""
    rows = [{"action": action.label, "may": [role in POLICY[action] for role in Role]} for action in Action]
    return {"labels": Role.labels, "rows": rows}


@may(Action.STAFF_MANAGE, fresh=True)
def disable(request: StaffRequest, user_id: UUID) -> HttpResponse:
    return _with_reason(request, user_id, "disable")


@may(Action.STAFF_MANAGE, fresh=True)
def enable(request: StaffRequest, user_id: UUID) -> HttpResponse:
    return _with_reason(request, user_id, "enable")


@may(Action.STAFF_MANAGE, fresh=True)
def password_link(request: StaffRequest, user_id: UUID) -> HttpResponse:
    return _with_reason(request, user_id, "password_link")


def _with_reason(request: StaffRequest, user_id: UUID, act: str) -> HttpResponse:
    """Say what will happen, ask for the reason, do it."""
    user = get_object_or_404(User, pk=user_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            if act == "disable":
                commands.disable(user, reason=reason, by=request.user)
                messages.success(request, f"{user.name} is disabled and signed out everywhere.")
                return redirect("accounts:person", user.pk)
            if act == "enable":
                user, link = commands.enable(user, reason=reason, by=request.user)
                return _show_link(request, user, link, "enabled")
            return _show_link(
                request, user, commands.issue_password_link(user, reason=reason, by=request.user), "password"
            )
        except DomainError as refusal:
            form.add_error(None, str(refusal))
    return render(request, "accounts/with_reason.html", {"form": form, "person": user, "act": act})


@may(Action.STAFF_MANAGE, fresh=True)
def request_reset(request: StaffRequest, user_id: UUID) -> HttpResponse:
    user = get_object_or_404(User, pk=user_id)
    form = ProofForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            factors.request_reset(user, proof=form.cleaned_data["proof"], by=request.user)
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "Asked for. A second person has to approve it, and 24 hours have to pass.")
            return redirect("accounts:person", user.pk)
    return render(request, "accounts/request_reset.html", {"form": form, "person": user})


@may(Action.STAFF_RECOVER)
def resets(request: StaffRequest) -> HttpResponse:
    rows = [
        {"reset": reset, "approvable": request.user.pk not in (reset.requested_by_id, reset.user_id)}
        for reset in queries.open_resets()
    ]
    return render(request, "accounts/resets.html", {"rows": rows})


@may(Action.STAFF_RECOVER, fresh=True)
@require_POST
def approve_reset(request: StaffRequest, reset_id: UUID) -> HttpResponse:
    return _reset_step(request, reset_id, factors.approve_reset, "Approved.")


@may(Action.STAFF_RECOVER)
@require_POST
def cancel_reset(request: StaffRequest, reset_id: UUID) -> HttpResponse:
    return _reset_step(request, reset_id, factors.cancel_reset, "Cancelled.")


def _reset_step(request: StaffRequest, reset_id: UUID, step: Any, done: str) -> HttpResponse:
    reset = get_object_or_404(FactorReset, pk=reset_id)
    try:
        step(reset, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("accounts:resets")


@may(Action.STAFF_MANAGE, fresh=True)
@require_POST
def complete_reset(request: StaffRequest, reset_id: UUID) -> HttpResponse:
    reset = get_object_or_404(FactorReset.objects.select_related("user"), pk=reset_id)
    try:
        link = factors.complete_reset(reset, by=request.user)
    except DomainError as refusal:
        messages.error(request, str(refusal))
        return redirect("accounts:person", reset.user_id)
    return _show_link(request, reset.user, link, "reset")
