"""Campaigns of the demo: two that went out through the real door, one in review, one draft."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from django.conf import settings

import campaigns.commands
import consent.commands
import content.commands
import delivery.engine
from campaigns import approval
from campaigns.models import Campaign
from consent.models import Source
from content.models import Template
from content.starters import STARTERS
from core import clock
from core.actors import PATIENT
from core.purposes import Stream
from delivery.models import Delivery, Sender
from marketing import catcher, local_ca, ways_out
from marketing.demo.clinic import Clinic, morning
from marketing.demo.people import SEED
from marketing.demo.timeline import Timeline
from marketing.processes import await_port
from tracking.models import Event


def templates(clinic: Clinic) -> dict[str, Template]:
    marketer = clinic.staff["marketer"]
    return {
        key: content.commands.create_template(by=marketer, starter=True, **fields) for key, fields in STARTERS.items()
    }


def campaigns_of(clinic: Clinic, written: dict[str, Template], sender: Sender, timeline: Timeline) -> None:
    """Put down when they went out; those that have not are there when all else has happened."""
    for name, template, segment, topic, days_ago in (
        ("New evening hours at Harbor", "new_product", "tips", "offers", 34),
        ("Staying well this season", "education", "tips", "tips", 9),
    ):
        choices = {
            "name": name,
            "template": written[template],
            "segment": clinic.segments[segment],
            "topic": clinic.topics[topic],
            "sender": sender,
            "track_opens": True,
            "track_clicks": True,
        }
        timeline.at(morning(days_ago), partial(lambda these: _engagement(_went_out(clinic, these), timeline), choices))
    timeline.at(clock.now(), lambda: _not_yet(clinic, written, sender))


def _not_yet(clinic: Clinic, written: dict[str, Template], sender: Sender) -> None:
    marketer = clinic.staff["marketer"]
    review = campaigns.commands.create(
        name="Eye screening for people with diabetes",
        segment=clinic.segments["diabetes"],
        template=written["reminder"],
        topic=clinic.topics["reminders"],
        sender=sender,
        by=marketer,
    )
    campaigns.commands.submit(review, by=marketer)
    flu = {"segment": clinic.segments["flu"], "topic": clinic.topics["reminders"]}
    campaigns.commands.create(name="Flu shots at all three clinics", by=marketer, **flu)


def _went_out(clinic: Clinic, choices: dict[str, Any]) -> Campaign:
    """A campaign that was written, approved and is sent now, by the engine itself."""
    marketer, approver = clinic.staff["marketer"], clinic.staff["approver"]
    campaign = campaigns.commands.create(by=marketer, **choices)
    campaign = campaigns.commands.submit(campaign, by=marketer)
    campaigns.commands.approve(campaign, by=approver, seen=approval.digest(campaign), note="Reads well. Good to go.")
    campaigns.commands.schedule(campaign, at=clock.now(), by=approver)
    campaign.refresh_from_db()
    if campaign.state == Campaign.State.SCHEDULED:  # where jobs run at once, this one has
        campaigns.commands.start(campaign)
    while delivery.engine.drain(Stream.MARKETING, seconds=30):
        pass
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.FINISHED, campaign.state
    Campaign.objects.filter(pk=campaign.pk).update(
        created_at=clock.now() - timedelta(days=2), updated_at=campaign.finished_at
    )
    return campaign


@contextmanager
def catching() -> Iterator[None]:
    """The mail catcher, for as long as this lasts."""
    loop = asyncio.new_event_loop()
    port = ways_out.mail_port()
    serving = loop.create_task(catcher.serve(port, local_ca.files(settings.HOME / "mail")))

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run, name="catcher")
    thread.start()
    try:
        await_port(port, alive=thread.is_alive)
        yield
    finally:
        delivery.transports.smtp.close()
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()


def _engagement(campaign: Campaign, timeline: Timeline) -> None:
    """Opens and clicks as a clinic sees them: most within a day, some by machines, a few who leave."""
    random = Random(f"{SEED} {campaign.started_at:%d}")
    sent = Delivery.objects.filter(origin_id=campaign.pk, outcome=Delivery.Outcome.SENT).order_by("contact_id")
    rows = list(sent.values_list("id", "contact_id", "at"))
    assert campaign.template_version is not None
    links = len(campaign.template_version.links)
    events: list[Event] = []
    leaving: list[tuple[datetime, Delivery]] = []
    for number, (delivery_id, contact_id, at) in enumerate(rows):

        def event(kind: str, after: timedelta, verdict: str, client: str, link: int | None = None) -> None:
            about = {"delivery_id": delivery_id, "contact_id": contact_id, "origin_id": campaign.pk}  # noqa: B023
            events.append(Event(kind=kind, at=at + after, verdict=verdict, client=client, link=link, **about))  # noqa: B023

        if random.random() < 0.09:
            event(Event.Kind.OPEN, timedelta(seconds=random.randint(2, 50)), Event.Verdict.MACHINE, "scanner")
            if random.random() < 0.35:
                event(Event.Kind.CLICK, timedelta(seconds=51), Event.Verdict.MACHINE, "scanner", 0)
        if random.random() >= 0.41:
            continue
        first = timedelta(hours=min(random.expovariate(1 / 9), 190))
        client = random.choices(("phone", "desktop", "proxy"), (52, 30, 18))[0]
        verdict = Event.Verdict.UNKNOWN if client == "proxy" else Event.Verdict.HUMAN
        event(Event.Kind.OPEN, first, verdict, client)
        if random.random() < 0.2:
            again = first + timedelta(hours=random.uniform(0.2, 20))
            event(Event.Kind.OPEN, min(again, timedelta(hours=200)), verdict, client)
        if links and client != "proxy" and random.random() < 0.24:
            event(Event.Kind.CLICK, first + timedelta(seconds=random.randint(8, 240)), Event.Verdict.HUMAN, client, 0)
        if number % 160 == 3:
            leaving.append((at + first, Delivery(id=delivery_id, contact_id=contact_id)))
    Event.objects.bulk_create(events, batch_size=2_000)
    for at, delivered in leaving:
        timeline.at(at, partial(_left, delivered, campaign))


def _left(delivered: Delivery, campaign: Campaign) -> None:
    consent.commands.opt_out(
        delivered.contact_id, campaign.topic_id, source=Source.ONE_CLICK, by=PATIENT, delivery_id=delivered.id
    )
