from django.urls import path

from accounts.views import api_docs

urlpatterns = [
    path("schema", api_docs.schema, name="schema"),
    path("docs", api_docs.docs, name="docs"),
]
