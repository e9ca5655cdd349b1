"""Rules over health are asked, stored, shared out and exported, and no value is left in the clear anywhere (IDX-03).

Not in the database (partitions, fact files, bitmaps, parts of evaluations, exports, jobs), not in its files, not in a
log of every statement with the values bound to it, not in our own log.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

import consent.commands
from accounts.models import User
from accounts.policy import Role
from audit.commands import seal
from consent.models import Source
from contacts.models import Contact, Kind
from contacts.records import Coded
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from marketing.environment import HOME
from segments import commands, exports, fanout, membership, people, search
from segments.exports import Wanted
from segments.facts import writing as facts
from segments.models import (
    Evaluation,
    Export,
    FactFile,
    Membership,
    PartitionFile,
    Question,
    Segment,
)
from segments.store import writing
from segments.store.part import SIZE
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.canary import statements_logged, sweep
from tests.consent.factories import EVIDENCE, TopicFactory
from tests.contacts.factories import make_people
from tests.segments.factories import attribute, rule

pytestmark = pytest.mark.django_db(transaction=True)

DIAGNOSIS, CODE, CODED = "dropsy-canary-q7z3", "ZQ7CANARY.31", "Canary disease of the q7z3 kind"
NAME, TOWN, DAY, WEIGHT = "Quillabelle-q7z3", "Canaryville q7z3", "1931-12-07", 7391.20437
ASKED = ("asked-only-canary-k4x9", "ASKEDONLY.K4X9")
CALLED, WORDS, REASON = "Segment canary k4x9", "Described canary k4x9", "Reason canary k4x9 of the export"
CANARIES = [DIAGNOSIS, CODE, CODED, NAME, TOWN, DAY, str(WEIGHT), *ASKED, CALLED, WORDS, REASON]


def clause(key: str, op: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"attribute": key, "op": op, "value": value, **more}


#: Every kind of question about health, with values people have and values nobody has.
RULE = rule(
    clause("diagnosis", "is", DIAGNOSIS),
    clause("diagnosis", "contains", DIAGNOSIS[3:]),
    clause("diagnosis", "one_of", [DIAGNOSIS, ASKED[0]]),
    clause("diagnosis", "is", ASKED[0]),
    clause("conditions", "has", [CODE, f"{ASKED[1]}*"], when="active"),
    clause("weight", "between", {"from": WEIGHT, "to": WEIGHT + 1}),
    clause("onset", "is", DAY),
    clause("city", "starts_with", TOWN[:12]),
    match="any",
)


@pytest.fixture
def clinic(settings: Any) -> Iterator[Segment]:
    settings.SEGMENTS_FAN_OUT = 0
    people.forget()
    attribute("diagnosis", Kind.TEXT), attribute("weight", Kind.NUMBER), attribute("onset", Kind.DATE)
    attribute("conditions", Kind.CODED)
    attribute("city", Kind.TEXT, sensitivity=Sensitivity.IDENTITY)
    attribute("first_name", Kind.TEXT, sensitivity=Sensitivity.IDENTITY)
    make_people(
        30,
        first_name=NAME,
        city=TOWN,
        diagnosis=DIAGNOSIS,
        weight=WEIGHT,
        onset=DAY,
        coded={"conditions": [Coded(CODE, CODED, "2020-01-01")]},
    )
    make_people(40, first_name="Ann", city="Boston")
    topic = TopicFactory()
    for contact in Contact.objects.all()[:3]:
        consent.commands.opt_in(contact.pk, topic, source=Source.STAFF, evidence=EVIDENCE, by=SYSTEM)
    yield commands.create(name=CALLED, description=WORDS, rule=RULE, by=UserFactory(roles=[Role.MARKETER]))
    people.forget()


def write_the_store() -> None:
    for number in {n // SIZE for n in Contact.objects.values_list("number", flat=True)}:
        writing.write(number)
    for subject in facts.subjects():
        facts.write(subject, 0)
    people.forget()


def count(segment: Segment) -> None:
    """By the page, by the API, and as an analyst who may know the number only roughly."""
    for role in (Role.MARKETER, Role.ANALYST):
        client = Client()
        sign_in(client, UserFactory(roles=[role]))
        said = client.post(reverse("segments:count", args=[segment.pk])).content.decode()
        assert ("30" in said, "About" in said) == ((True, False) if role == Role.MARKETER else (False, False)), said
    _, headers = api_token(["segments.view", "reports.small_cells"])
    answer = Client().post("/api/v1/segments/count", {"rule": RULE}, "application/json", headers=headers)
    assert answer.json()["count"] == 30


def ask_as_an_analyst() -> None:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.ANALYST]))
    wanted = rule(clause("diagnosis", "is", DIAGNOSIS))
    segment = commands.create(name=CALLED, rule=wanted, by=SYSTEM)
    assert "<strong>30 people</strong>" in client.post(reverse("segments:count", args=[segment.pk])).content.decode()
    assert Question.objects.filter(members__isnull=False).exists()


def look_for_a_name(user: User) -> None:
    client = Client()
    sign_in(client, user)
    found = client.post(reverse("segments:find_people"), {"text": NAME[:10]})
    assert "30" in found.content.decode()
    assert search.find(NAME[2:9].upper()).total in (0, 30)


def export(segment: Segment, marketer: User) -> bytes:
    wanted = Wanted(["first_name", "diagnosis", "conditions", "weight"], "treatment", REASON)
    asked = exports.request_export(segment, wanted, by=marketer)
    exports.approve_export(asked, note=REASON, by=UserFactory(roles=[Role.APPROVER]))
    client = Client()
    sign_in(client, marketer)
    return b"".join(client.post(reverse("segments:export_download", args=[asked.pk])).streaming_content)  # type: ignore[attr-defined]


def test_asking_about_health_leaves_nothing_in_the_clear(clinic: Segment, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    marketer = UserFactory(roles=[Role.MARKETER])
    with statements_logged() as logged:
        write_the_store()
        count(clinic)
        ask_as_an_analyst()
        membership.refresh(clinic)
        commands.snapshot(RULE, name=CALLED, description=WORDS, by=marketer)
        assert len(fanout.members(RULE, clinic.created_at)) == 30
        look_for_a_name(marketer)
        file = export(clinic, marketer)
        seal()
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s", ["planted-in-a-statement-5h2p"])
        statements = logged()
    assert sweep([DIAGNOSIS, CODE, NAME], texts={"the file": file}, database=False), "the file holds what was asked for"
    for model in (PartitionFile, FactFile, Membership, Question, Export):
        assert model.objects.exists(), model
    assert not Evaluation.objects.exists()
    if (HOME / "test-postgres").exists():
        for seen in (b"planted-in-a-statement-5h2p", b"segments_evaluationpart", b"segments_partitionfile"):
            assert seen in statements
    hits = sweep(
        CANARIES,
        folders=[HOME],
        server_files=True,
        texts={"our log": caplog.text, "the log of statements": statements},
    )
    assert not hits, hits[:20]


class Statements:
    """Every statement and everything bound to it, on its way to the server."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.seen.append(f"{sql} {params!r}")
        return execute(sql, params, many, context)


def test_while_a_rule_is_evaluated_no_value_asked_about_is_bound_to_a_statement(clinic: Segment) -> None:
    """Whether the store is written, stale or not there, and whoever does the evaluating (IDX-03)."""
    statements = Statements()
    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(statements))
        assert len(fanout.members(RULE, clinic.created_at)) == 30
        write_the_store()
        assert len(fanout.members(RULE, clinic.created_at)) == 30
        make_people(1, diagnosis=DIAGNOSIS)
        assert len(fanout.members(RULE, clinic.created_at)) == 31
        assert search.find(NAME[:10]).total == 30
    assert len(statements.seen) > 30
    assert not sweep(CANARIES, texts={"statements": "\n".join(statements.seen)}, database=False)
