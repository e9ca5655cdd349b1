"""Contacts whose record does not open: which, since when it is known, and what can be done."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.policy import Action
from accounts.requests import StaffRequest, may
from contacts import damaged
from contacts.models import Damaged


@may(Action.CONTACTS_DELETE)
@require_safe
def listing(request: StaffRequest) -> HttpResponse:
    page = Paginator(Damaged.objects.order_by("since", "pk"), 50).get_page(request.GET.get("page"))
    context = {"page": page, "total": page.paginator.count, "most": damaged.MOST}
    return render(request, "contacts/damaged.html", context)
