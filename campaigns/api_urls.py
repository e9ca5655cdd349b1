from django.urls import path

from campaigns import api

ONE = "campaigns/<uuid:campaign_id>"
urlpatterns = [
    path("campaigns", api.Campaigns.as_view(), name="campaigns"),
    path(ONE, api.OneCampaign.as_view(), name="campaign"),
    path(f"{ONE}/submit", api.Submit.as_view(), name="submit"),
    path(f"{ONE}/approve", api.Approve.as_view(), name="approve"),
    path(f"{ONE}/send-back", api.SendBack.as_view(), name="send-back"),
    path(f"{ONE}/schedule", api.Schedule.as_view(), name="schedule"),
    path(f"{ONE}/pause", api.Pause.as_view(), name="pause"),
    path(f"{ONE}/resume", api.Resume.as_view(), name="resume"),
    path(f"{ONE}/cancel", api.Cancel.as_view(), name="cancel"),
    path(f"{ONE}/status", api.Status.as_view(), name="status"),
    path(f"{ONE}/report", api.Report.as_view(), name="report"),
]
