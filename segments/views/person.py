"""In which segments a person is: a part of the contact's page."""

from datetime import timedelta
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from audit.models import Entry
from core import clock
from segments import membership

#: A segment may say a diagnosis: it is shown so long after its viewer revealed the person, and said why.
SHOWN_FOR = timedelta(minutes=15)


@may(Action.CONTACTS_VIEW)
@require_GET
def for_contact(request: StaffRequest, contact_id: UUID) -> HttpResponse:
    """Where they are and were lately, as far as it is kept; only on the page of a person just revealed."""
    shown = "revealed" in request.GET and request.user.may(Action.CONTACTS_REVEAL)
    revealed = shown and _revealed_lately(request, contact_id)
    stays = membership.segments_of(contact_id) if revealed else []
    return render(request, "segments/_of_person.html", {"revealed": revealed, "stays": stays})


def _revealed_lately(request: StaffRequest, contact_id: UUID) -> bool:
    mine = Entry.objects.filter(action="contact.revealed", actor_id=request.user.as_actor().id)
    return mine.filter(subject_id=contact_id, at__gt=clock.now() - SHOWN_FOR).exists()
