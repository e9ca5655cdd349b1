"""Included at /api/v1/ under the namespace api-consent."""

from django.urls import path

from consent import api

urlpatterns = [
    path("consents", api.Consents.as_view(), name="consents"),
    path("consents/<uuid:contact_id>", api.State.as_view(), name="state"),
    path("consents/<uuid:contact_id>/authorizations", api.Authorizations.as_view(), name="authorizations"),
    path("authorizations/<uuid:authorization_id>/end", api.AuthorizationEnd.as_view(), name="authorization-end"),
    path("topics", api.Topics.as_view(), name="topics"),
    path("suppressions", api.Suppressions.as_view(), name="suppressions"),
]
