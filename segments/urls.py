from django.urls import path

from segments import export_views
from segments.search_views import find_people
from segments.views import building, members, pages, person, unsaved

app_name = "segments"
urlpatterns = [
    path("", pages.segment_list, name="list"),
    path("new", building.segment_new, name="new"),
    path("ask", building.ask, name="ask"),
    path("builder/step", building.step, name="step"),
    path("builder/preview", building.preview, name="preview"),
    path("builder/pause", building.pause, name="pause"),
    path("builder/keep", unsaved.keep, name="keep"),
    path("builder/discard", unsaved.discard, name="discard"),
    path("builder/offers", building.offered, name="offers"),
    path("exports", export_views.export_list, name="exports"),
    path("exports/<uuid:export_id>", export_views.export_detail, name="export"),
    path("exports/<uuid:export_id>/decide", export_views.export_decide, name="export_decide"),
    path("exports/<uuid:export_id>/withdraw", export_views.export_withdraw, name="export_withdraw"),
    path("exports/<uuid:export_id>/download", export_views.export_download, name="export_download"),
    path("<uuid:segment_id>/export", export_views.export_new, name="export_new"),
    path("<uuid:segment_id>/export/leaves", export_views.export_preview, name="export_preview"),
    path("overlap", members.overlap, name="overlap"),
    path("why", members.why, name="why"),
    path("<uuid:segment_id>", pages.segment_detail, name="detail"),
    path("<uuid:segment_id>/edit", building.segment_edit, name="edit"),
    path("<uuid:segment_id>/count", pages.segment_count, name="count"),
    path("<uuid:segment_id>/refresh", members.refresh, name="refresh"),
    path("<uuid:segment_id>/watch", members.watch, name="watch"),
    path("<uuid:segment_id>/snapshot", members.snapshot, name="snapshot"),
    path("<uuid:segment_id>/people", members.move_people, name="move_people"),
    path("<uuid:segment_id>/duplicate", pages.duplicate, name="duplicate"),
    path("<uuid:segment_id>/archive", pages.archive, name="archive"),
    path("<uuid:segment_id>/restore", pages.restore, name="restore"),
    path("people", find_people, name="find_people"),
    path("people/<uuid:contact_id>", person.for_contact, name="for_contact"),
]
