from django.urls import path

from segments import api, explain_api, export_api, membership_api
from segments.search_api import SearchContacts

urlpatterns = [
    path("segments", api.Segments.as_view(), name="segments"),
    path("segments/schema", api.RuleSchema.as_view(), name="segment-schema"),
    path("segments/count", api.Count.as_view(), name="segment-count-rule"),
    path("segments/exports", export_api.Exports.as_view(), name="segment-exports"),
    path("segments/exports/<uuid:export_id>", export_api.OneExport.as_view(), name="segment-export"),
    path("segments/exports/<uuid:export_id>/file", export_api.ExportFile.as_view(), name="segment-export-file"),
    path("segments/snapshots", membership_api.Snapshots.as_view(), name="segment-snapshots"),
    path(
        "segments/<uuid:segment_id>/memberships",
        membership_api.MembershipsOfSegment.as_view(),
        name="segment-memberships",
    ),
    path("segments/<uuid:segment_id>/was-in", membership_api.WasIn.as_view(), name="segment-was-in"),
    path("segments/<uuid:segment_id>/people", membership_api.PeopleOfSegment.as_view(), name="segment-people"),
    path("segments/<uuid:segment_id>/uses", membership_api.UsesOfSegment.as_view(), name="segment-uses"),
    path("segments/<uuid:segment_id>/watch", membership_api.WatchOfSegment.as_view(), name="segment-watch"),
    path("segments/<uuid:segment_id>/exports", export_api.ExportsOfSegment.as_view(), name="segment-export-new"),
    path("segments/<uuid:segment_id>", api.OneSegment.as_view(), name="segment"),
    path("segments/<uuid:segment_id>/explain", explain_api.ExplainSegment.as_view(), name="segment-explain"),
    path("segments/<uuid:segment_id>/count", api.CountOfSegment.as_view(), name="segment-count"),
    path("contacts/search", SearchContacts.as_view(), name="contacts-search"),
]
