from django.urls import path

from segments import export_views, views
from segments.search_views import find_people

app_name = "segments"
urlpatterns = [
    path("", views.segment_list, name="list"),
    path("new", views.segment_new, name="new"),
    path("ask", views.ask, name="ask"),
    path("builder/step", views.step, name="step"),
    path("builder/preview", views.preview, name="preview"),
    path("builder/pause", views.pause, name="pause"),
    path("builder/offers", views.offered, name="offers"),
    path("exports", export_views.export_list, name="exports"),
    path("exports/<uuid:export_id>", export_views.export_detail, name="export"),
    path("exports/<uuid:export_id>/decide", export_views.export_decide, name="export_decide"),
    path("exports/<uuid:export_id>/withdraw", export_views.export_withdraw, name="export_withdraw"),
    path("exports/<uuid:export_id>/download", export_views.export_download, name="export_download"),
    path("<uuid:segment_id>/export", export_views.export_new, name="export_new"),
    path("<uuid:segment_id>/export/leaves", export_views.export_preview, name="export_preview"),
    path("<uuid:segment_id>", views.segment_detail, name="detail"),
    path("<uuid:segment_id>/edit", views.segment_edit, name="edit"),
    path("<uuid:segment_id>/count", views.segment_count, name="count"),
    path("<uuid:segment_id>/duplicate", views.duplicate, name="duplicate"),
    path("<uuid:segment_id>/archive", views.archive, name="archive"),
    path("<uuid:segment_id>/restore", views.restore, name="restore"),
    path("people", find_people, name="find_people"),
]
