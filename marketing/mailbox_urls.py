from django.urls import path

from marketing import mailbox_views

app_name = "mailbox"
urlpatterns = [
    path("", mailbox_views.inbox, name="list"),
    path("<uuid:mail_id>/", mailbox_views.mail, name="mail"),
    path("<uuid:mail_id>/text/", mailbox_views.mail, {"side": "text"}, name="text"),
    path("<uuid:mail_id>/headers/", mailbox_views.mail, {"side": "headers"}, name="headers"),
    path("<uuid:mail_id>/source/", mailbox_views.mail, {"side": "source"}, name="source"),
    path("<uuid:mail_id>/html/", mailbox_views.mail_html, name="html"),
]
