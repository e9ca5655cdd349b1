from django.urls import path

from accounts.views import entry

app_name = "accounts"
urlpatterns = [
    path("sign-in", entry.sign_in, name="sign_in"),
    path("sign-out", entry.sign_out, name="sign_out"),
    path("second-factor", entry.second_factor, name="second_factor"),
    path("enrol", entry.enrol, name="enrol"),
    path("join/<str:secret>", entry.join, name="join"),
    path("local/<str:secret>", entry.local, name="local"),
]
