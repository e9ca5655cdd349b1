"""The Celery application: jobs carry ids only, and the broker only wakes workers."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")

app = Celery("carillon")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Otherwise the threads of the web server would each find an application without settings.
app.set_default()
app.autodiscover_tasks()
app.autodiscover_tasks(related_name="tasks_membership")
app.autodiscover_tasks(related_name="tasks_facts")
app.autodiscover_tasks(related_name="tasks_intake")
app.autodiscover_tasks(related_name="tasks_effects")
app.autodiscover_tasks(related_name="tasks_simulate")
app.autodiscover_tasks(related_name="tasks_moving")
