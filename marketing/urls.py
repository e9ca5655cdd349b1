"""Every address of the product: staff pages by room, the patients' short links, the API."""

from django.conf import settings
from django.urls import include, path

from marketing import views

urlpatterns = [
    path("", views.home, name="home"),
    path("in-flight/", views.in_flight, name="in_flight"),
    path("settings/organization/", views.organization, name="organization"),
    path("healthz", views.health, name="health"),
    path("account/", include("accounts.urls")),
    path("people/", include("contacts.urls")),
    path("segments/", include("segments.urls")),
    path("templates/", include("content.urls")),
    path("campaigns/", include("campaigns.urls")),
    path("workflows/", include("workflows.urls")),
    path("delivery/", include("delivery.urls")),
    path("compliance/consent/", include("consent.urls")),
    path("compliance/trail/", include("trail.urls")),
    path("m/", include("consent.public_urls")),
    path("t/", include("tracking.urls")),
    path("api/v1/", include("marketing.api_urls")),
]
if settings.LOCAL_RUN:
    urlpatterns += [path("mailbox/", include("marketing.mailbox_urls"))]
