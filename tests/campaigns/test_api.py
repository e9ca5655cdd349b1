import pytest
from django.test import Client

from accounts.policy import Role
from campaigns import commands, tasks
from delivery import engine
from delivery.models import Relay
from tests.accounts.factories import UserFactory, api_token
from tests.campaigns.factories import CampaignFactory, SegmentFactory, approved, marketer
from tests.consent.factories import TopicFactory
from tests.contacts.factories import make_people
from tests.content.factories import TemplateFactory, organization
from tests.delivery.factories import SenderFactory
from tests.delivery.smtp import Catcher

pytestmark = pytest.mark.django_db
URL = "/api/v1/campaigns"
JSON = "application/json"


@pytest.fixture
def headers() -> dict[str, str]:
    organization()
    owner = UserFactory(roles=[Role.MARKETER])
    return api_token(["campaigns.view", "campaigns.edit", "campaigns.send", "reports.small_cells"], owner)[1]


@pytest.fixture
def second_person() -> dict[str, str]:
    return api_token(["campaigns.view", "campaigns.approve"], UserFactory(roles=[Role.APPROVER]))[1]


def test_two_machines_of_two_people_send_a_campaign(
    client: Client, headers: dict[str, str], second_person: dict[str, str], relay: Relay, catcher: Catcher
) -> None:
    make_people(3)
    body = {
        "name": "Spring",
        "segment": str(SegmentFactory().pk),
        "template": str(TemplateFactory().pk),
        "sender": str(SenderFactory().pk),
        "topic": str(TopicFactory(requires_opt_in=False).pk),
    }
    made = client.post(URL, body, JSON, headers=headers)
    assert made.status_code == 201, made.content
    one = f"{URL}/{made.json()['id']}"
    assert client.post(f"{one}/submit", headers=headers).json()["state"] == "IN_REVIEW"
    seen = {"seen": client.get(one, headers=second_person).json()["digest"]}
    assert client.post(f"{one}/approve", seen, JSON, headers=headers).status_code == 403
    assert client.post(f"{one}/approve", {}, JSON, headers=second_person).status_code == 400
    outdated = client.post(f"{one}/approve", {"seen": "0" * 64}, JSON, headers=second_person)
    assert outdated.json()["error"]["code"] == "approval_outdated"
    assert client.post(f"{one}/approve", seen, JSON, headers=second_person).json()["state"] == "APPROVED"
    assert client.post(f"{one}/schedule", {}, JSON, headers=headers).json()["state"] == "SCHEDULED"
    tasks.start_due()
    assert client.get(f"{one}/status", headers=headers).json()["total"] == 3
    assert client.post(f"{one}/pause", headers=headers).json()["state"] == "PAUSED"
    assert client.post(f"{one}/resume", headers=headers).json()["state"] == "SENDING"
    engine.drain("marketing", seconds=30)
    tasks.start_due()
    status = client.get(f"{one}/status", headers=headers).json()
    assert (status["state"], status["by_outcome"]) == ("FINISHED", {"sent": 3})
    rows = client.get(f"{one}/report", headers=headers).json()
    assert {"section": "recipients", "what": "Sent", "count": "3"} in rows
    assert not [row for row in rows if row["section"] == "domains"]  # this token may not see people


def test_the_owner_of_the_writing_token_cannot_approve_with_another_token(
    client: Client, headers: dict[str, str]
) -> None:
    both = UserFactory(roles=[Role.MARKETER, Role.APPROVER])
    _, writing = api_token(["campaigns.edit"], both)
    _, approving = api_token(["campaigns.approve"], both)
    campaign = CampaignFactory()
    client.post(f"{URL}/{campaign.pk}/submit", headers=writing)
    seen = {"seen": "0" * 64}
    answer = client.post(f"{URL}/{campaign.pk}/approve", seen, JSON, headers=approving)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "self_approval")


def test_a_repeated_request_creates_one_campaign(client: Client, headers: dict[str, str]) -> None:
    again = headers | {"Idempotency-Key": "spring-1"}
    first = client.post(URL, {"name": "Spring"}, JSON, headers=again)
    second = client.post(URL, {"name": "Spring"}, JSON, headers=again)
    assert first.json()["id"] == second.json()["id"]
    assert len(client.get(URL, headers=headers).json()["results"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "segment": "00000000-0000-7000-8000-000000000000"}, "segment"),
        ({"name": "x", "template": "nonsense"}, "template"),
        ({"name": "x", "track_opens": "maybe"}, "track_opens"),
    ],
)
def test_bad_input_names_its_field(client: Client, headers: dict[str, str], body: object, field: str) -> None:
    answer = client.post(URL, body, JSON, headers=headers)
    assert answer.status_code == 400
    assert field in answer.json()["error"]["fields"]


def test_a_move_that_is_not_possible_says_what_is(client: Client, headers: dict[str, str]) -> None:
    answer = client.post(f"{URL}/{CampaignFactory().pk}/pause", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_possible_now")
    assert "submit it for review" in answer.json()["error"]["message"]


def test_an_analysts_machine_gets_no_small_counts(client: Client, relay: Relay, catcher: Catcher) -> None:
    make_people(3)
    campaign = commands.send_now(approved(), by=marketer())
    tasks.start(str(campaign.pk))
    engine.drain("marketing", seconds=30)
    _, headers = api_token(["campaigns.view"], UserFactory(roles=[Role.ANALYST]))
    rows = client.get(f"{URL}/{campaign.pk}/report", headers=headers).json()
    assert {"section": "recipients", "what": "Sent", "count": "fewer than 11"} in rows
    assert not any(row["count"] in map(str, range(1, 11)) for row in rows)
    assert client.get(f"{URL}/{campaign.pk}/status", headers=headers).status_code == 403
