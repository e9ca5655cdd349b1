from django.urls import path

from delivery import proof_views, views

app_name = "delivery"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("relays/new/", views.relay_new, name="relay_new"),
    path("relays/<uuid:relay_id>/", views.relay_edit, name="relay"),
    path("relays/<uuid:relay_id>/check/", views.relay_check, name="relay_check"),
    path("relays/<uuid:relay_id>/remove/", views.relay_remove, name="relay_remove"),
    path("domains/new/", views.domain_new, name="domain_new"),
    path("domains/<uuid:domain_id>/", views.domain_detail, name="domain"),
    path("domains/<uuid:domain_id>/verify/", views.domain_verify, name="domain_verify"),
    path("senders/new/", views.sender_new, name="sender_new"),
    path("senders/<uuid:sender_id>/remove/", views.sender_remove, name="sender_remove"),
    path("messages/<uuid:delivery_id>/", proof_views.message, name="message"),
    path("messages/<uuid:delivery_id>/reveal/", proof_views.message_reveal, name="message_reveal"),
    path("people/<uuid:contact_id>/", views.for_contact, name="for_contact"),
]
