from django.urls import path

from campaigns.views import reporting, reviewing, steering, writing

app_name = "campaigns"
urlpatterns = [
    path("", writing.campaign_list, name="list"),
    path("new/", writing.campaign_new, name="new"),
    path("<uuid:campaign_id>/", writing.campaign_detail, name="detail"),
    path("<uuid:campaign_id>/edit/", writing.campaign_edit, name="edit"),
    path("<uuid:campaign_id>/audience/", writing.campaign_audience, name="audience"),
    path("<uuid:campaign_id>/forecast/", writing.campaign_forecast, name="forecast"),
    path("<uuid:campaign_id>/content/", writing.campaign_content, name="content"),
    path("<uuid:campaign_id>/history/", writing.campaign_history, name="history"),
    path("<uuid:campaign_id>/duplicate/", writing.campaign_duplicate, name="duplicate"),
    path("<uuid:campaign_id>/submit/", writing.campaign_submit, name="submit"),
    path("<uuid:campaign_id>/withdraw/", writing.campaign_withdraw, name="withdraw"),
    path("<uuid:campaign_id>/review/", reviewing.campaign_review, name="review"),
    path("<uuid:campaign_id>/schedule/", steering.campaign_schedule, name="schedule"),
    path("<uuid:campaign_id>/unschedule/", steering.campaign_unschedule, name="unschedule"),
    path("<uuid:campaign_id>/pause/", steering.campaign_pause, name="pause"),
    path("<uuid:campaign_id>/resume/", steering.campaign_resume, name="resume"),
    path("<uuid:campaign_id>/cancel/", steering.campaign_cancel, name="cancel"),
    path("<uuid:campaign_id>/test/", steering.campaign_test, name="test"),
    path("<uuid:campaign_id>/progress/", steering.campaign_progress, name="progress"),
    path("<uuid:campaign_id>/report/", reporting.campaign_report, name="report"),
    path("<uuid:campaign_id>/report/domains/", reporting.campaign_domains, name="domains"),
    path("<uuid:campaign_id>/report/export/", reporting.campaign_export, name="export"),
]
