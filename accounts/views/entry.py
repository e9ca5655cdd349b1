"""Coming in: password, second factor, one-time links."""

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from accounts import commands, factors, queries, sessions
from accounts.errors import LinkNotValid
from accounts.forms import CodeForm, ConfirmAppForm, NewPasswordForm, RecoveryCodeForm, SignInForm
from accounts.models import StaffSession, TotpDevice, User
from accounts.network import source_of
from accounts.qr import qr_path
from accounts.requests import StaffRequest, half_signed_in, has_needed_factor, public, signed_in
from accounts.throttling import failures_of
from core.errors import DomainError


def next_page(request: HttpRequest) -> str:
    """Where they wanted to go, if that is here; else home."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
        return wanted
    return resolve_url(settings.LOGIN_REDIRECT_URL)


def _onward(request: HttpRequest, name: str) -> HttpResponse:
    return redirect(f"{resolve_url(name)}?{urlencode({'next': next_page(request)})}")


@public
@never_cache
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "accounts/sign_in.html", {"form": SignInForm(), "next": next_page(request)})
    failures = failures_of(request.POST.get("email", "").strip().lower())
    form = SignInForm(request.POST, request=request)
    if not form.is_valid() or form.user is None:
        if form.tried:
            commands.note_refused_sign_in(form.tried, source=source_of(request), spray=form.spray)
        return render(request, "accounts/sign_in.html", {"form": form, "next": next_page(request)})
    sessions.enter(request, form.user)
    if failures:
        plural = "s" if failures > 1 else ""
        messages.warning(
            request,
            f"Before this, a wrong password was tried {failures} time{plural} for your account. "
            "If that was not you, change your password and tell an administrator.",
        )
    return _onward(request, "accounts:second_factor")


def locked_out(request: HttpRequest, original: HttpResponse | None = None, credentials: object = None) -> HttpResponse:
    """What a locked account or address sees: the answer every other failure gets (called by axes)."""
    form = SignInForm(request.POST)
    form.add_error(None, SignInForm.REFUSED)
    return render(request, "accounts/sign_in.html", {"form": form, "next": next_page(request)})


@half_signed_in
def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor; also when it is asked again before a grave act."""
    user = _me(request)
    if not queries.has_factor(user):
        return _onward(request, "accounts:enrol")
    recovery = "recovery" in request.GET or request.POST.get("kind") == "recovery"
    form = (RecoveryCodeForm if recovery else CodeForm)(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            device = factors.check_code(user, code=form.cleaned_data["code"], recovery=recovery)
        except DomainError as refusal:
            form.add_error("code", str(refusal))
        else:
            sessions.pass_factor(request, device)
            if recovery:
                left = queries.recovery_codes_left(user)
                messages.warning(request, f"You used a recovery code; {left} are left. Renew them in your profile.")
            return redirect(next_page(request))
    passkey, passkey_only = queries.has_passkey(user), bool(settings.PASSKEY_ROLES & set(user.roles))
    context = {
        "form": form,
        "recovery": recovery,
        "next": next_page(request),
        "has_totp": TotpDevice.objects.filter(user=user, confirmed=True).exists() and not (passkey and passkey_only),
        "has_passkey": passkey,
        "open_reset": queries.open_reset_of(user),
        "again": user.is_verified(),  # type: ignore[attr-defined]
    }
    return render(request, "accounts/second_factor.html", context)


def app_to_scan(user: User) -> dict[str, object]:
    """The authenticator app being set up, as a picture and as text."""
    pending = factors.begin_totp(user)
    return {"pending": pending, "code_path": qr_path(pending.address(user.email, "Carillon"))}


@half_signed_in
def enrol(request: HttpRequest) -> HttpResponse:
    """Make the first second factor: nothing else opens before (SEC-18)."""
    user = _me(request)
    verified = user.is_verified()  # type: ignore[attr-defined]
    if queries.has_factor(user) and not verified:
        return _onward(request, "accounts:second_factor")
    if verified and has_needed_factor(user):
        return redirect("accounts:profile")
    passkey_only = bool(settings.PASSKEY_ROLES & set(user.roles))
    form = ConfirmAppForm(request.POST or None)
    if request.method == "POST" and not passkey_only and form.is_valid():
        try:
            device = factors.confirm_totp(user, code=form.cleaned_data["code"], keep=_session(request), by=user)
        except DomainError as refusal:
            form.add_error("code", str(refusal))
        else:
            sessions.pass_factor(request, device)
            return redirect("accounts:recovery_codes")
    context = {"form": form, "passkey_only": passkey_only, "next": next_page(request)}
    context["codes_url"] = resolve_url("accounts:recovery_codes")
    if not passkey_only:
        context |= app_to_scan(user)
    return render(request, "accounts/enrol.html", context)


@signed_in
@require_GET
def session(request: StaffRequest) -> HttpResponse:
    """Whose session this is, and its token against forgery: for a page that was open while somebody signed in again."""
    return JsonResponse({"person": str(request.user.pk), "token": get_token(request)})


@signed_in
def back(request: StaffRequest) -> HttpResponse:
    """Where signing in again in another tab ends: what was typed waits in the first one."""
    return render(request, "accounts/back.html")


@public
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    if isinstance(request.user, User):
        StaffSession.objects.filter(session_key=request.session.session_key).delete()
    logout(request)
    return redirect("accounts:sign_in")


@public
@never_cache
@sensitive_post_parameters("password")
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Set a password through a one-time link from an administrator."""
    try:
        link = commands.open_link(secret)
    except LinkNotValid as refusal:
        return render(request, "accounts/link_not_valid.html", {"refusal": refusal}, status=404)
    form = NewPasswordForm(request.POST or None, user=link.user)
    if request.method == "POST" and form.is_valid():
        try:
            user = commands.follow_link(secret, password=form.cleaned_data["password"])
        except LinkNotValid as refusal:
            return render(request, "accounts/link_not_valid.html", {"refusal": refusal}, status=404)
        sessions.enter(request, user)
        return redirect("accounts:second_factor")
    return render(request, "accounts/join.html", {"form": form, "link": link})


@public
@never_cache
def local(request: HttpRequest, secret: str) -> HttpResponse:
    """A local run's sign-in link. Opening it changes nothing; the button signs in, once."""
    try:
        device = commands.open_local_link(secret)
        if request.method == "POST":
            device = commands.use_local_link(secret)
    except LinkNotValid as refusal:
        return render(request, "accounts/link_not_valid.html", {"refusal": refusal}, status=404)
    if request.method != "POST":
        return render(request, "accounts/local.html", {"person": device.user})
    sessions.enter(request, device.user)
    sessions.pass_factor(request, device)
    return redirect("home")


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _session(request: HttpRequest) -> StaffSession:
    found: StaffSession = request.staff_session  # type: ignore[attr-defined]
    return found
