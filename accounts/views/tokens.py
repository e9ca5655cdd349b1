"""API tokens: made by and for oneself; an administrator sees and revokes everybody's."""

from datetime import UTC, datetime, time
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts import commands, queries
from accounts.forms import TokenForm
from accounts.policy import Action
from accounts.requests import StaffRequest, may
from core.errors import DomainError


@may(Action.TOKENS_OWN)
def tokens(request: StaffRequest) -> HttpResponse:
    page = Paginator(queries.tokens_seen_by(request.user), 50).get_page(request.GET.get("page"))
    return render(request, "accounts/tokens.html", {"page": page})


@may(Action.TOKENS_OWN, fresh=True)
def create(request: StaffRequest) -> HttpResponse:
    form = TokenForm(request.POST or None, owner=request.user)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            token, secret = commands.create_token(
                name=data["name"],
                scopes=data["scopes"],
                owner=request.user,
                expires_at=datetime.combine(data["expires_on"], time.max, UTC),
                by=request.user,
            )
        except DomainError as refusal:
            form.add_error("scopes", str(refusal))
        else:
            return render(request, "accounts/token_made.html", {"token": token, "secret": secret})
    return render(request, "accounts/token_form.html", {"form": form})


@may(Action.TOKENS_OWN)
@require_POST
def revoke(request: StaffRequest, token_id: UUID) -> HttpResponse:
    token = get_object_or_404(queries.tokens_seen_by(request.user), pk=token_id)
    commands.revoke_token(token, by=request.user)
    messages.success(request, "The token is revoked. It stopped working just now.")
    return redirect("accounts:tokens")
