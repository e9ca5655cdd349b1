"""From sealed records to an audience, on real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consent.commands import opt_out
from consent.models import Source
from contacts import commands as contacts
from contacts.models import Attribute, Contact, Kind
from contacts.records import Coded
from core import clock
from core.actors import SYSTEM
from core.ids import uuid7
from core.models import Organization
from core.sensitivity import Sensitivity
from delivery.models import Delivery, SendBatch, SmtpSession
from segments import people as source
from segments import queries
from segments.rules import RuleError
from segments.store import writing
from tests.consent.factories import TopicFactory
from tests.contacts.factories import make_people
from tests.delivery.factories import RelayFactory, make_origin, opt_in
from tests.segments import reference
from tests.segments.factories import attribute, has, is_, rule
from tracking.models import Event

pytestmark = pytest.mark.django_db


def test_people_are_picked_by_what_is_sealed_in_order_of_id() -> None:
    ids = make_people(
        6,
        state=lambda n: "MA" if n % 2 else "NY",
        coded=lambda n: {"conditions": [Coded("E11.9", "Type 2 diabetes")] if n > 2 else []},
    )
    assert queries.audience(rule(has("E11.*"), is_("state", "ma"))) == sorted([ids[3], ids[5]])
    assert queries.count(rule(has("E11.*"), match="none")) == 3
    assert queries.audience(rule(is_("state", "Ohio"))) == []


def test_a_change_is_in_the_next_count() -> None:
    ids = make_people(3, state="MA")
    asked = rule(is_("state", "MA"))
    assert queries.count(asked) == 3
    contacts.update(Contact.objects.get(pk=ids[0]), values={"state": "NY"}, by=SYSTEM)
    assert queries.count(asked) == 2
    contacts.delete(Contact.objects.get(pk=ids[1]), by=SYSTEM)
    assert queries.count(asked) == 1
    make_people(4, state="MA")
    assert queries.count(asked) == 5


def test_a_change_stamped_before_the_last_count_and_committed_after_it_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = make_people(2, state="MA")
    asked = rule(is_("state", "MA"))
    assert queries.count(asked) == 2
    earlier = clock.now() - timedelta(minutes=5)
    monkeypatch.setattr(clock, "now", lambda: earlier)
    contacts.update(Contact.objects.get(pk=ids[0]), values={"state": "NY"}, by=SYSTEM)
    assert queries.count(asked) == 1


def test_the_answer_is_the_same_from_records_from_a_written_store_and_from_memory() -> None:
    topic = TopicFactory()
    ids = make_people(25, state=lambda n: ["MA", "NY", "CT"][n % 3])
    opt_in(topic, ids[:9])
    asked = rule(is_("state", "MA"), {"topic": str(topic.pk), "op": "opted_in"})
    expected = sorted([ids[0], ids[3], ids[6]])
    assert queries.audience(asked) == expected
    for number in source.partitions():
        writing.write(number)
    source.forget()
    for _ in ("opened", "remembered"):
        assert queries.audience(asked) == expected
        assert queries.count(asked) == 3


def test_health_never_reaches_a_statement() -> None:
    attribute("note", Kind.TEXT)
    make_people(2, note="xq-canary-value", coded={"conditions": [Coded("QX9.CANARY", "xq-canary-name")]})
    source.forget()
    with CaptureQueriesContext(
        connection,
    ) as ran:
        assert queries.count(rule(is_("note", "xq-canary-value"), has("QX9.CANARY"))) == 2
        assert "xq-canary-name" in queries.sentence(rule(has("QX9.CANARY")))
    assert not [q["sql"] for q in ran if "canary" in q["sql"].lower()]


def test_topics_are_as_the_ledger_says_and_opting_out_of_everything_counts() -> None:
    topic, other = TopicFactory(), TopicFactory()
    ids = make_people(4)
    opt_in(topic, ids[:3])
    opt_in(other, ids[3:])
    opt_out(ids[1], topic, source=Source.STAFF, evidence={}, by=SYSTEM)
    opt_out(ids[2], None, source=Source.STAFF, evidence={}, by=SYSTEM)

    def who(state: str) -> list[UUID]:
        return queries.audience(rule({"topic": str(topic.pk), "op": state}))

    assert who("opted_in") == [ids[0]]
    assert who("opted_out") == sorted(ids[1:3])
    assert who("no_choice") == [ids[3]]


def test_consent_can_be_asked_as_of_a_moment() -> None:
    topic = TopicFactory()
    ids = make_people(1)
    before = clock.now()
    opt_in(topic, ids)
    asked = rule({"topic": str(topic.pk), "op": "opted_in"})
    assert queries.audience(asked) == ids
    assert queries.audience(asked, at=before) == []


def happened(origin: Any, who: UUID, event: str, at: datetime, verdict: str = "human") -> None:
    if event == "received":
        session = SmtpSession.objects.first() or SmtpSession.objects.create(
            relay=RelayFactory(),
            host="h",
            address="a",
            tls_version="TLSv1.3",
            cipher="c",
            certificate_sha256="0" * 64,
            basis="webpki",
            started_at=at,
        )
        batch = SendBatch.objects.filter(origin=origin).first() or SendBatch.objects.create(
            origin=origin, stream=origin.stream, contact_ids=[who], due_at=at
        )
        Delivery.objects.create(
            id=uuid7(),
            origin=origin,
            batch=batch,
            contact_id=who,
            visit=uuid7().hex,
            outcome="sent",
            at=at,
            decision={"verdict": "allow"},
            session=session,
            content_sha256=b"0" * 32,
        )
        return
    kind = {"opened": "open", "clicked": "click"}[event]
    Event.objects.create(
        delivery_id=uuid7(),
        origin_id=origin.pk,
        contact_id=who,
        kind=kind,
        at=at,
        verdict=verdict,
        link=0 if kind == "click" else None,
    )


def test_mailings_agree_with_the_reference_at_the_edges_of_days() -> None:
    zone = ZoneInfo("America/New_York")
    Organization.objects.update_or_create(pk=1, defaults={"time_zone": zone.key})
    one, two = make_origin(), make_origin()
    now = clock.now()
    midnight = datetime.combine(now.astimezone(zone).date(), datetime.min.time(), tzinfo=zone).astimezone(UTC)
    moments = [midnight - timedelta(days=n, seconds=s) for n in (0, 1, 2, 7) for s in (-1, 0, 1)]
    ids = make_people(len(moments) * 3 + 1)
    someone = {i: reference.Someone() for i in ids}
    for n, at in enumerate(moment for moment in moments if moment <= now):
        for e, event in enumerate(("received", "opened", "clicked")):
            who, origin = ids[n * 3 + e], one if n % 2 else two
            happened(origin, who, event, at)
            someone[who].events.append((event, str(origin.pk), at))
    for event in ("received", "opened", "clicked"):
        for mailing in (None, str(one.pk), str(two.pk)):
            for days in (None, 0, 1, 2, 6, 7, 30):
                for op in ("did", "did_not"):
                    when = None if days is None else {"in_last": {"days": days}}
                    asked = rule({"event": event, "op": op, "mailing": mailing, "when": when})
                    at = clock.now()
                    world = reference.World(at, zone, {})
                    expected = sorted(i for i in ids if reference.holds(asked, someone[i], world))
                    assert queries.audience(asked) == expected, (event, mailing, days, op)


def test_machines_did_not_open() -> None:
    origin = make_origin()
    ids = make_people(2)
    happened(origin, ids[0], "opened", clock.now(), "machine")
    happened(origin, ids[1], "opened", clock.now())
    assert queries.audience(rule({"event": "opened"})) == [ids[1]]


def test_a_rule_on_a_removed_attribute_says_so_instead_of_matching() -> None:
    plan = attribute("plan", Kind.CHOICE, "BCBS")
    asked = rule({"attribute": "plan", "op": "is_empty"})
    make_people(2)
    assert queries.count(asked) == 2
    Attribute.objects.filter(pk=plan.pk).update(removed_at=datetime(2026, 3, 1, tzinfo=UTC))
    for ask in (queries.count, queries.audience, queries.sentence, queries.tier_of):
        with pytest.raises(RuleError, match="“Plan” was removed on 01 Mar 2026"):
            ask(asked)


def test_today_is_the_day_it_is_where_the_organization_is() -> None:
    ids = make_people(1, birth_date="1990-06-02")
    asked = rule({"attribute": "birth_date", "op": "birthday_in_next", "value": {"days": 0}})
    late = datetime(2026, 6, 2, 2, 0, tzinfo=UTC)
    Organization.objects.update_or_create(pk=1, defaults={"time_zone": "America/New_York"})
    assert queries.audience(asked, at=late) == []
    assert queries.audience(asked, at=late + timedelta(hours=3)) == ids
    Organization.objects.update_or_create(pk=1, defaults={"time_zone": "Asia/Kolkata"})
    assert queries.audience(asked, at=late) == ids


def test_the_tier_is_the_highest_of_what_is_asked() -> None:
    attribute("hiv", Kind.BOOLEAN, sensitivity=Sensitivity.SPECIAL)
    attribute("colour", Kind.TEXT, sensitivity=Sensitivity.PUBLIC)
    phi, plain = make_origin(tier=Sensitivity.PHI), make_origin(tier=Sensitivity.IDENTITY)
    told = {
        Sensitivity.IDENTITY: [
            is_("colour", "red"),
            {"event": "opened"},
            {"event": "opened", "mailing": str(plain.pk)},
        ],
        Sensitivity.PHI: [has("E11"), {"event": "opened", "mailing": str(phi.pk)}],
        Sensitivity.SPECIAL: [is_("hiv", True)],
    }
    for tier, clauses in told.items():
        for clause in clauses:
            assert queries.tier_of(rule(is_("colour", "blue"), {"none": [clause]})) == tier
    assert queries.fields_of(rule(is_("colour", "x"), {"any": [has("E11"), {"event": "opened"}]})) == [
        "colour",
        "conditions",
    ]


def test_a_sample_shows_somebody_but_not_whom() -> None:
    make_people(9, first_name="Ermintrude", last_name="Quackenbush", state="MA")
    few = queries.sample(rule(is_("state", "MA")), 4)
    assert len(few) == 4
    assert few == queries.sample(rule(is_("state", "MA")), 4)
    assert "rmintrude" not in str(few)
    assert "uackenbush" not in str(few)
    assert "person" not in str(few)


def test_codes_are_offered_by_name_and_most_frequent_first() -> None:
    def lists(n: int) -> dict[str, list[Coded]]:
        entries = [Coded("I10", "Hypertension"), Coded("i10", "Hypertension")] + [Coded("J45", "Asthma")] * (n == 0)
        return {"conditions": entries, "medications": [Coded("A10")]}

    make_people(3, coded=lists)
    assert queries.codes_offered("conditions") == [
        source.Code("I10", "Hypertension", 3),
        source.Code("J45", "Asthma", 1),
    ]
    assert queries.codes_offered("medications") == [source.Code("A10", "", 3)]
    assert queries.codes_offered("visits") == []
    make_people(3, coded={"visits": [Coded("V1", "Visit")]})
    assert queries.codes_offered("visits") == [source.Code("V1", "Visit", 3)]


def test_counting_takes_the_same_statements_however_many_people() -> None:
    asked = rule(is_("state", "MA"), has("I10"), {"event": "opened"})

    def statements() -> int:
        source.forget()
        with CaptureQueriesContext(connection) as ran:
            queries.count(asked)
        return len(ran)

    make_people(1, state="MA")
    Organization.current()
    first = statements()
    make_people(30, state="MA")
    assert statements() == first
