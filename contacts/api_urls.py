from django.urls import path

from contacts import api

urlpatterns = [
    path("contacts", api.Contacts.as_view(), name="contacts"),
    path("contacts/bulk", api.BulkContacts.as_view(), name="contacts-bulk"),
    path("contacts/find", api.FindContacts.as_view(), name="contacts-find"),
    path("contacts/upsert", api.UpsertContact.as_view(), name="contacts-upsert"),
    path("contacts/<uuid:contact_id>", api.OneContact.as_view(), name="contact"),
    path("contacts/<uuid:contact_id>/reveal", api.RevealContact.as_view(), name="contact-reveal"),
    path("attributes", api.Attributes.as_view(), name="attributes"),
]
