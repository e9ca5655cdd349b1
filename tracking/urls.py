"""Addresses inside mails: short, on our own host, without a word about anything (TRK-04)."""

from django.urls import path

from tracking import views

app_name = "tracking"
urlpatterns = [
    path("o/<str:token>.gif", views.opened, name="open"),
    path("c/<str:token>/<int:number>", views.clicked, name="click"),
]
