"""Compliance pages of consents."""

from django.urls import path

from consent import contact_views, topic_views, views

app_name = "consent"
urlpatterns = [
    path("", views.ledger, name="ledger"),
    path("find/", views.find, name="find"),
    path("entry/<uuid:entry_id>/", views.entry, name="entry"),
    path("export/", views.export, name="export"),
    path("topics/", topic_views.topics, name="topics"),
    path("topics/new/", topic_views.new_topic, name="new_topic"),
    path("topics/<uuid:topic_id>/", topic_views.topic, name="topic"),
    path("topics/<uuid:topic_id>/remove/", topic_views.remove_topic, name="remove_topic"),
    path("suppressed/", views.suppressions, name="suppressions"),
    path("suppressed/add/", views.suppress, name="suppress"),
    path("suppressed/file/", views.suppress_file, name="suppress_file"),
    path("suppressed/check/", views.check, name="check"),
    path("suppressed/<uuid:suppression_id>/", views.release, name="release"),
    path("contact/<uuid:contact_id>/", contact_views.for_contact, name="for_contact"),
    path("contact/<uuid:contact_id>/record/", contact_views.record, name="record"),
    path("contact/<uuid:contact_id>/authorize/", contact_views.authorize, name="authorize"),
    path("authorization/<uuid:authorization_id>/", views.authorization, name="authorization"),
    path("authorization/<uuid:authorization_id>/revoke/", contact_views.revoke, name="revoke"),
]
