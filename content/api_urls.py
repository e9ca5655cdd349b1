from django.urls import path

from content import api

urlpatterns = [
    path("templates", api.Templates.as_view(), name="templates"),
    path("templates/<uuid:template_id>", api.OneTemplate.as_view(), name="template"),
    path("templates/<uuid:template_id>/findings", api.Findings.as_view(), name="findings"),
    path("templates/<uuid:template_id>/versions", api.Versions.as_view(), name="versions"),
]
