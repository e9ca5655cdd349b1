"""The search box of the contacts page. Part of a name is answered here, because names are columns of the store."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import listing, reveals
from contacts import queries as contacts
from contacts.forms import SearchForm
from segments import search


@require_POST
@may(Action.CONTACTS_VIEW)
def find_people(request: StaffRequest) -> HttpResponse:
    """The part of the page below the box. By POST, so that no name stands in a URL, a log or the browser's history."""
    form = SearchForm(request.POST)
    found = search.find(form.cleaned_data["text"] if form.is_valid() else "")
    if not found.short:
        reveals.searched(found=found.total, by=request.user)
    if found.exact and found.total == 1:
        answer = HttpResponse()
        answer["HX-Redirect"] = reverse("contacts:detail", args=[found.people[0].pk])
        return answer
    rows = listing.rows(found.people, contacts.attributes())
    context = {"rows": rows, "found": found.total, "exact": found.exact, "short": found.short}
    return render(request, "segments/_people_found.html", context)
