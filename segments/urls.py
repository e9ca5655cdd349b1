from django.urls import path

from segments import views

app_name = "segments"
urlpatterns = [
    path("", views.segment_list, name="list"),
    path("new", views.segment_new, name="new"),
    path("ask", views.ask, name="ask"),
    path("builder/step", views.step, name="step"),
    path("builder/preview", views.preview, name="preview"),
    path("builder/codes", views.codes, name="codes"),
    path("<uuid:segment_id>", views.segment_detail, name="detail"),
    path("<uuid:segment_id>/edit", views.segment_edit, name="edit"),
    path("<uuid:segment_id>/count", views.segment_count, name="count"),
    path("<uuid:segment_id>/duplicate", views.duplicate, name="duplicate"),
    path("<uuid:segment_id>/archive", views.archive, name="archive"),
    path("<uuid:segment_id>/restore", views.restore, name="restore"),
]
