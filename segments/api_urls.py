from django.urls import path

from segments import api, export_api
from segments.search_api import SearchContacts

urlpatterns = [
    path("segments", api.Segments.as_view(), name="segments"),
    path("segments/schema", api.RuleSchema.as_view(), name="segment-schema"),
    path("segments/count", api.Count.as_view(), name="segment-count-rule"),
    path("segments/exports", export_api.Exports.as_view(), name="segment-exports"),
    path("segments/exports/<uuid:export_id>", export_api.OneExport.as_view(), name="segment-export"),
    path("segments/exports/<uuid:export_id>/file", export_api.ExportFile.as_view(), name="segment-export-file"),
    path("segments/<uuid:segment_id>/exports", export_api.ExportsOfSegment.as_view(), name="segment-export-new"),
    path("segments/<uuid:segment_id>", api.OneSegment.as_view(), name="segment"),
    path("segments/<uuid:segment_id>/count", api.CountOfSegment.as_view(), name="segment-count"),
    path("contacts/search", SearchContacts.as_view(), name="contacts-search"),
]
