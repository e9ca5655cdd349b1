from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.requests import public, signed_in


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


@public
def health(request: HttpRequest) -> HttpResponse:
    """For load balancers: the process answers and so does its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok", content_type="text/plain")
