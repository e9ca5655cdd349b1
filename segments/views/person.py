"""In which segments a person is: a part of the contact's page."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import reveals
from segments import membership


@may(Action.CONTACTS_VIEW)
@require_GET
def for_contact(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """Where they are and were lately, as far as it is kept; only on the page of a person just revealed."""
    revealed = "revealed" in request.GET and reveals.lately(contact_id, by=request.user)
    stays = membership.segments_of(contact_id) if revealed else []
    return render(request, "segments/_of_person.html", {"revealed": revealed, "stays": stays})
