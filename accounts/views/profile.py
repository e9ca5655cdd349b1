"""One's own account: name, password, factors, recovery codes, sessions."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import commands, factors, queries
from accounts.forms import ChangePasswordForm, ConfirmAppForm, ProfileForm
from accounts.requests import StaffRequest, signed_in, signed_in_freshly
from accounts.sessions import kind_of
from accounts.views.entry import app_to_scan
from core.errors import DomainError

KINDS = {"totp": "Authenticator app", "passkey": "Passkey", "recovery": "Recovery code", "local": "Local link"}


@signed_in
def profile(request: StaffRequest) -> HttpResponse:
    user = request.user
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        commands.change_profile(user, by=user, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("accounts:profile")
    own = [
        {"device": device, "kind": kind_of(device), "label": KINDS[kind_of(device)]}
        for device in queries.factors_of(user)
    ]
    sessions = [{"row": row, "factor": KINDS.get(row.factor, "Password only")} for row in queries.sessions_of(user)]
    context = {
        "form": form,
        "factors": own,
        "codes_left": queries.recovery_codes_left(user),
        "sessions": sessions,
        "current": request.staff_session,
        "open_reset": queries.open_reset_of(user),
    }
    return render(request, "accounts/profile.html", context)


@signed_in_freshly
@sensitive_post_parameters("current", "password")
def password(request: StaffRequest) -> HttpResponse:
    form = ChangePasswordForm(request.POST or None, user=request.user)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            commands.change_password(
                request.user,
                current=data["current"],
                new=data["password"],
                keep=request.staff_session,
                by=request.user,
            )
        except DomainError as refusal:
            form.add_error("current", str(refusal))
        else:
            messages.success(request, "Your password is changed. Your other sessions have ended.")
            return redirect("accounts:profile")
    return render(request, "accounts/password.html", {"form": form})


@signed_in_freshly
def add_app(request: StaffRequest) -> HttpResponse:
    form = ConfirmAppForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            factors.confirm_totp(
                request.user, code=form.cleaned_data["code"], keep=request.staff_session, by=request.user
            )
        except DomainError as refusal:
            form.add_error("code", str(refusal))
        else:
            messages.success(request, "The authenticator app is added. Your other sessions have ended.")
            return redirect("accounts:profile")
    return render(request, "accounts/add_app.html", {"form": form} | app_to_scan(request.user))


@signed_in_freshly
def add_passkey(request: StaffRequest) -> HttpResponse:
    return render(request, "accounts/add_passkey.html")


@signed_in_freshly
def remove_factor(request: StaffRequest, kind: str, device_id: int) -> HttpResponse:
    """Ask, then remove."""
    found = [d for d in queries.factors_of(request.user) if kind_of(d) == kind and d.pk == device_id]
    if not found:
        raise Http404
    context: dict[str, object] = {"device": found[0], "label": KINDS[kind]}
    if request.method == "POST":
        try:
            factors.remove_factor(request.user, found[0], keep=request.staff_session, by=request.user)
        except DomainError as refusal:
            context["refusal"] = refusal
        else:
            messages.success(request, "Removed. Your other sessions have ended.")
            return redirect("accounts:profile")
    return render(request, "accounts/remove_factor.html", context)


@signed_in_freshly
def recovery_codes(request: StaffRequest) -> HttpResponse:
    """Codes are shown by the answer to the POST and never again."""
    codes = factors.renew_recovery_codes(request.user, by=request.user) if request.method == "POST" else []
    left = queries.recovery_codes_left(request.user)
    return render(request, "accounts/recovery_codes.html", {"codes": codes, "left": left})


@signed_in
@require_POST
def end_session(request: StaffRequest, session_id: UUID) -> HttpResponse:
    session = get_object_or_404(request.user.sessions, pk=session_id)
    commands.end_session(session, by=request.user)
    messages.success(request, "That browser is signed out.")
    return redirect("accounts:profile")


@signed_in
@require_POST
def end_other_sessions(request: StaffRequest) -> HttpResponse:
    ended = commands.end_other_sessions(request.user, keep=request.staff_session, by=request.user)
    messages.success(request, f"Signed out {ended} other browser{'' if ended == 1 else 's'}.")
    return redirect("accounts:profile")


@signed_in
@require_POST
def cancel_own_reset(request: StaffRequest) -> HttpResponse:
    if reset := queries.open_reset_of(request.user):
        factors.cancel_reset(reset, by=request.user)
        messages.success(request, "The reset of your second factors is cancelled.")
    return redirect("accounts:profile")
