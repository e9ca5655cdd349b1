from django.urls import path

from segments import api

urlpatterns = [
    path("segments", api.Segments.as_view(), name="segments"),
    path("segments/schema", api.RuleSchema.as_view(), name="segment-schema"),
    path("segments/count", api.Count.as_view(), name="segment-count-rule"),
    path("segments/<uuid:segment_id>", api.OneSegment.as_view(), name="segment"),
    path("segments/<uuid:segment_id>/count", api.CountOfSegment.as_view(), name="segment-count"),
]
