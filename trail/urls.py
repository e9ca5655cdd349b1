from django.urls import path

from trail import views

app_name = "trail"
urlpatterns = [
    path("", views.trail_list, name="list"),
    path("entries/<uuid:entry_id>", views.entry_detail, name="entry"),
    path("checkpoints", views.checkpoints, name="checkpoints"),
    path("checkpoints/<int:size>.txt", views.checkpoint_file, name="checkpoint"),
    path("trail.vkey", views.key_file, name="key"),
    path("export", views.export, name="export"),
]
