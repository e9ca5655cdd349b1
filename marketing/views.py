"""Pages that belong to no room: Home, the organization, and the answer to a load balancer."""

from typing import cast

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.policy import Action
from accounts.requests import StaffRequest, may, public, signed_in
from core.models import Organization
from marketing import commands
from marketing import home as pages
from marketing.forms import OrganizationForm
from workflows import under_way


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    user = cast(StaffRequest, request).user
    shown: dict[str, object] = {"steps": pages.first_steps(user), "needs": pages.needs(user)}
    if not shown["steps"]:
        shown["totals"] = pages.totals(user)
    if user.may(Action.CAMPAIGNS_VIEW):
        shown |= {"flying": pages.flying(), "scheduled": pages.scheduled(), "finished": pages.finished()}
    if user.may(Action.WORKFLOWS_NUMBERS):
        running, more = under_way.journeys()
        if running or not shown["steps"]:
            shown |= {"under_way": running, "more_under_way": more}
    return render(request, "home.html", shown)


@may(Action.CAMPAIGNS_VIEW)
def in_flight(request: HttpRequest) -> HttpResponse:
    """The part of Home that is alive: asked for every few seconds while something is being sent."""
    return render(request, "marketing/_in_flight.html", {"flying": pages.flying(), "scheduled": pages.scheduled()})


@may(Action.SETTINGS_MANAGE)
def organization(request: HttpRequest) -> HttpResponse:
    form = OrganizationForm(request.POST or None, instance=Organization.current())
    if request.method == "POST" and form.is_valid():
        commands.change_organization(by=cast(StaffRequest, request).user, **form.cleaned_data)
        messages.success(request, "Saved. New mails use it from now on.")
        return redirect("organization")
    return render(request, "marketing/organization.html", {"form": form})


@public
def health(request: HttpRequest) -> HttpResponse:
    """For load balancers: the process answers and so does its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")
