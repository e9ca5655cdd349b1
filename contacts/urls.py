from django.urls import path

from contacts.views import attributes, damaged, imports, mapping, people

app_name = "contacts"
urlpatterns = [
    path("", people.people, name="list"),
    path("search/", people.search, name="search"),
    path("new/", people.person_new, name="new"),
    path("<uuid:contact_id>/", people.person, name="detail"),
    path("<uuid:contact_id>/reveal/", people.reveal, name="reveal"),
    path("<uuid:contact_id>/edit/", people.person_edit, name="edit"),
    path("<uuid:contact_id>/delete/", people.person_delete, name="delete"),
    path("damaged/", damaged.listing, name="damaged"),
    path("attributes/", attributes.listing, name="attributes"),
    path("attributes/new/", attributes.new, name="attribute_new"),
    path("attributes/<uuid:attribute_id>/", attributes.edit, name="attribute"),
    path("attributes/<uuid:attribute_id>/lower/", attributes.lower, name="attribute_lower"),
    path("attributes/<uuid:attribute_id>/remove/", attributes.remove, name="attribute_remove"),
    path("attributes/<uuid:attribute_id>/restore/", attributes.restore, name="attribute_restore"),
    path("attributes/<uuid:attribute_id>/move/", attributes.move, name="attribute_move"),
    path("imports/", imports.listing, name="imports"),
    path("imports/new/", imports.new, name="import_new"),
    path("imports/<uuid:import_id>/", imports.detail, name="import"),
    path("imports/<uuid:import_id>/columns/", mapping.columns, name="import_columns"),
    path("imports/<uuid:import_id>/reread/", mapping.reread, name="import_reread"),
    path("imports/<uuid:import_id>/consent/", mapping.consent, name="import_consent"),
    path("imports/<uuid:import_id>/progress/", imports.progress, name="import_progress"),
    path("imports/<uuid:import_id>/start/", imports.start, name="import_start"),
    path("imports/<uuid:import_id>/resume/", imports.resume, name="import_resume"),
    path("imports/<uuid:import_id>/release/", imports.release, name="import_release"),
    path("imports/<uuid:import_id>/cancel/", imports.cancel, name="import_cancel"),
    path("imports/<uuid:import_id>/undo/", imports.undo, name="import_undo"),
    path("imports/<uuid:import_id>/discard/", imports.discard, name="import_discard"),
    path("imports/<uuid:import_id>/refused.csv", imports.refused, name="import_refused"),
]
