"""The pages of a campaign in a real browser, on a desk and on a phone."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from campaigns import commands
from campaigns.models import Campaign
from core import clock
from delivery.models import Delivery, SendBatch
from tests.accounts.factories import browser_cookie
from tests.browser import assert_accessible, assert_fits
from tests.campaigns.factories import CampaignFactory, approved, approver, marketer
from tests.contacts.factories import make_people
from tests.content.factories import organization

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
State = Campaign.State


def as_user(page: Any, site: str, user: Any) -> Any:
    page.context.add_cookies([browser_cookie(user) | {"url": site}])
    return page


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_fits_and_shuts_nobody_out(visitors: Any, site: str, width: int) -> None:
    organization()
    make_people(3)
    author = marketer()
    long_name = "Grippeschutzimpfungserinnerungskampagne " * 3
    reviewed = commands.submit(CampaignFactory(name=long_name[:120], created_by=author.pk), by=author)
    ready = approved(name="تذكير بموعد الفحص السنوي")
    running = CampaignFactory(state=State.PAUSED, started_at=clock.now())
    page = as_user(visitors.new(width=width), site, approver())
    for name in ("detail", "audience", "content", "history", "review"):
        page.goto(reverse(f"campaigns:{name}", args=[reviewed.pk]))
        page.wait_for_function("() => !document.querySelector('[hx-trigger=load] progress')")
        assert_fits(page)
        assert_accessible(page)
    page = as_user(visitors.new(width=width), site, author)
    for path in (
        reverse("campaigns:list"),
        reverse("campaigns:new"),
        reverse("campaigns:detail", args=[ready.pk]),
        reverse("campaigns:detail", args=[running.pk]),
        reverse("campaigns:report", args=[running.pk]),
        reverse("home"),
    ):
        page.goto(path)
        assert_fits(page)
        assert_accessible(page)


def test_a_draft_saves_itself_while_one_types(page: Any, site: str) -> None:
    campaign = CampaignFactory(name="Before")
    as_user(page, site, marketer()).goto(reverse("campaigns:edit", args=[campaign.pk]))
    page.get_by_label("Name").fill("Typed and not sent")
    page.get_by_text("Draft saved").wait_for()
    campaign.refresh_from_db()
    assert campaign.name == "Typed and not sent"


def test_the_send_dialog_says_what_happens_and_a_refused_time_stays_open(page: Any, site: str) -> None:
    campaign = approved()
    as_user(page, site, marketer()).goto(reverse("campaigns:detail", args=[campaign.pk]))
    page.get_by_role("button", name="Schedule or send").click()
    dialog = page.get_by_role("dialog", name="When should it go?")
    assert "You can pause or cancel at any time." in dialog.inner_text()
    assert_accessible(page)
    page.get_by_label("Send at").evaluate("field => { field.type = 'text'; field.value = 'soon'; }")
    dialog.get_by_role("button", name="Schedule", exact=True).click()
    page.get_by_role("dialog", name="When should it go?").get_by_text("Enter a valid date/time").wait_for()


def test_cancelling_names_the_act_and_can_be_left(page: Any, site: str) -> None:
    campaign = approved()
    as_user(page, site, marketer()).goto(reverse("campaigns:detail", args=[campaign.pk]))
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Cancel this campaign").click()
    page.get_by_role("button", name="Keep it").click()
    campaign.refresh_from_db()
    assert campaign.state == State.APPROVED
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Cancel this campaign").click()
    page.get_by_role("button", name="Cancel the campaign").click()
    page.get_by_text("Cancelled. Nothing more leaves.").wait_for()
    campaign.refresh_from_db()
    assert campaign.state == State.CANCELLED


def test_a_sending_page_says_its_progress_aloud_in_steps_and_ends_by_itself(page: Any, site: str) -> None:
    people = make_people(10)
    campaign = approved()
    commands.schedule(campaign, at=clock.now() + timedelta(hours=1), by=marketer())
    with time_machine.travel(clock.now() + timedelta(hours=2)):
        campaign = commands.start(Campaign.objects.get(pk=campaign.pk))
    as_user(page, site, marketer()).goto(reverse("campaigns:detail", args=[campaign.pk]))
    assert page.locator("#progress progress").get_attribute("max") == "10"
    batch = SendBatch.objects.get(origin_id=campaign.pk)
    rows = [
        Delivery(
            id=uuid4(),
            origin_id=campaign.pk,
            batch=batch,
            contact_id=person,
            outcome="refused",
            at=clock.now(),
            reasons=["no_opt_in"],
            decision={"verdict": "refuse"},
        )
        for person in people[:5]
    ]
    Delivery.objects.bulk_create(rows)
    page.get_by_text("50 percent handed over").wait_for(state="attached")
    assert "5 refused" in page.locator("#progress").inner_text()
    commands.cancel(campaign, by=marketer())
    page.get_by_text("Cancelled", exact=True).first.wait_for()
