from django.urls import path

from content import views

app_name = "content"
urlpatterns = [
    path("", views.template_list, name="list"),
    path("new/", views.template_new, name="new"),
    path("<uuid:template_id>/", views.template_detail, name="detail"),
    path("<uuid:template_id>/save/", views.template_save, name="save"),
    path("<uuid:template_id>/preview/", views.template_preview, name="preview"),
    path("<uuid:template_id>/subject/", views.template_subject, name="subject"),
    path("<uuid:template_id>/duplicate/", views.template_duplicate, name="duplicate"),
    path("<uuid:template_id>/archive/", views.template_archive, name="archive"),
    path("versions/<uuid:version_id>/", views.version_detail, name="version"),
    path("versions/<uuid:version_id>/preview/", views.version_preview, name="version_preview"),
]
