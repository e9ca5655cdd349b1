"""The patients' own addresses: short, without a word about anything."""

from django.urls import path

from consent import public_views as views

app_name = "preferences"
urlpatterns = [
    path("u/<str:token>", views.unsubscribe, name="unsubscribe"),
    path("p/<str:token>", views.preferences, name="preferences"),
    path("c/<str:token>", views.confirm, name="confirm"),
]
