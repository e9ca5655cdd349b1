import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import User
from core import clock
from marketing import ways_out
from marketing.demo import clinic, history, journeys
from marketing.demo.people import COUNT, people
from marketing.demo.timeline import Timeline


class Command(BaseCommand):
    help = (
        "Fill an empty local run with a synthetic clinic: patients, consents, templates, segments, campaigns, journeys."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOCAL_RUN:
            raise CommandError("The demo clinic is for local runs only.")
        if User.objects.exists():
            raise CommandError("There is somebody here already; the demo clinic needs an empty database.")
        began = time.monotonic()
        self.stdout.write(f"Making the demo clinic: {COUNT:,} patients who do not exist …")
        sender = ways_out.ensure()
        with transaction.atomic():
            made = self._clinic()
        timeline = Timeline()
        history.campaigns_of(made, history.templates(made), sender, timeline)
        journeys.journeys_of(made, timeline)
        with history.catching():
            timeline.run()
        self.stdout.write(f"Made in {time.monotonic() - began:.0f} s.")

    def _clinic(self) -> clinic.Clinic:
        today = clock.now().date()
        staff = clinic.staff()
        marketer, officer = staff["marketer"], staff["compliance"]
        with clock.set_to(clinic.morning(380)):  # everything else happened in the year since
            clinic.organization()
            clinic.attributes()
            topics = clinic.topics(marketer)
            patients = clinic.contacts(people(today), marketer)
        clinic.consents(patients, topics, officer)
        with clock.set_to(clinic.morning(60)):  # after what people said, before the first campaign: in order
            clinic.authorizations(patients, officer)
        return clinic.Clinic(staff, topics, patients, clinic.segments_of(topics, marketer))
