"""45 CFR 164.508(c): take any one element away and it is no authorization."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import commands, queries
from consent.authorizations import ELEMENTS, complete, defects, expiry, in_force
from consent.commands.authorizations import digest
from consent.errors import AuthorizationIncomplete
from consent.models import Authorization, Source
from consent.state import AuthorizationFacts
from core.actors import SYSTEM
from core.ids import uuid7
from core.models import Organization
from tests.consent.factories import DOCUMENT, contact

NEEDED = [*(element.key for element in ELEMENTS), "expires_on"]
NEW_YORK = ZoneInfo("America/New_York")


def test_the_whole_document_is_an_authorization():
    assert defects(DOCUMENT) == []


@pytest.mark.parametrize("key", NEEDED)
@pytest.mark.parametrize("value", [None, "", "   ", "none", "N/A", "-", "Not applicable."])
def test_without_any_one_element_it_is_none(key, value):
    document = {k: v for k, v in {**DOCUMENT, key: value}.items() if v is not None}
    assert not complete(document)
    assert len(defects(document)) >= 1


@pytest.mark.parametrize("key", NEEDED)
def test_each_defect_names_the_rule(key):
    [defect] = defects({**DOCUMENT, key: ""})
    assert "164.508(c)" in defect


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({"expires_on": "", "expires_when": "When I leave the programme"}, True),
        ({"expires_on": "", "expires_when": "never"}, False),
        ({"expires_on": "soon"}, False),
        ({"expires_on": "2026-02-30"}, False),
        ({"expires_on": "2026-01-14"}, False),  # the day before it was signed
        ({"expires_on": "2026-01-15"}, True),
        ({"signed_on": "last week"}, False),
        ({"representative": "Her son"}, False),
        ({"representative": "Her son", "representative_authority": "Health care proxy of 2020"}, True),
        ({"combined": True}, False),
        ({"conditioned": True}, False),
    ],
)
def test_what_else_makes_or_breaks_it(changes, valid):
    assert complete({**DOCUMENT, **changes}) is valid


@given(st.sets(st.sampled_from(NEEDED), min_size=1))
def test_any_set_of_missing_elements_is_noticed(missing):
    assert len(defects({**DOCUMENT, **dict.fromkeys(missing, "")})) == len(missing)


@pytest.mark.parametrize(
    ("last", "zone", "ends"),
    [
        ("2026-06-30", "UTC", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-06-30", "America/New_York", datetime(2026, 7, 1, 4, tzinfo=UTC)),
        ("2026-12-31", "America/New_York", datetime(2027, 1, 1, 5, tzinfo=UTC)),
        ("2026-03-07", "America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC)),  # the night the clocks go forward
        ("2026-03-08", "America/New_York", datetime(2026, 3, 9, 4, tzinfo=UTC)),
        ("2026-11-01", "America/New_York", datetime(2026, 11, 2, 5, tzinfo=UTC)),  # the day of 25 hours
        ("2024-02-29", "UTC", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2026-06-30", "Pacific/Kiritimati", datetime(2026, 6, 30, 10, tzinfo=UTC)),
        ("9999-12-31", "UTC", None),
    ],
)
def test_it_holds_to_the_end_of_its_last_day_where_the_clinic_is(last, zone, ends):
    assert expiry({**DOCUMENT, "expires_on": last}, ZoneInfo(zone)) == ends


def test_it_expires_at_the_instant_itself():
    ends = expiry({**DOCUMENT, "expires_on": "2026-11-01"}, NEW_YORK)
    signed = AuthorizationFacts(uuid7(), ("marketing",), False, ends, True)
    tick = timedelta(microseconds=1)
    assert [in_force(signed, ends + d) for d in (-tick, timedelta(), tick)] == [True, False, False]
    assert in_force(signed, ends.astimezone(NEW_YORK) - tick)
    assert not in_force(AuthorizationFacts(uuid7(), (), False, ends, False), ends - tick)
    assert in_force(AuthorizationFacts(uuid7(), (), False, None, True), ends + timedelta(days=9999))


@pytest.mark.django_db
@pytest.mark.parametrize("key", NEEDED)
def test_the_command_takes_no_document_that_lacks_an_element(key):
    with pytest.raises(AuthorizationIncomplete):
        commands.authorize(contact().pk, document={**DOCUMENT, key: ""}, source=Source.STAFF, by=SYSTEM)
    assert not Authorization.objects.exists()


@pytest.mark.django_db
def test_what_was_signed_is_kept_and_the_trail_can_prove_it():
    from audit.models import Entry

    person = contact()
    organization = Organization.current()
    organization.time_zone = "America/New_York"
    organization.save()
    document = {**DOCUMENT, "remuneration": "The clinic is paid for these messages"}
    signed = commands.authorize(person.pk, document=document, source=Source.STAFF, by=SYSTEM)
    signed.refresh_from_db()
    assert {k: v for k, v in signed.document.items() if k != "salt"} == document
    assert Entry.objects.get(action="consent.authorized").details["sha256"] == digest(signed.document)
    assert signed.states_remuneration
    assert signed.expires_at == datetime(2031, 1, 1, 5, tzinfo=UTC)
    assert DOCUMENT["signature"] not in str(Entry.objects.values())


@pytest.mark.django_db
def test_of_several_the_one_in_force_counts():
    person = contact()
    old = {**DOCUMENT, "signed_on": "2020-01-01", "expires_on": "2030-01-01"}
    expired = {**DOCUMENT, "signed_on": "2021-01-01", "expires_on": "2022-01-01"}
    kept = commands.authorize(person.pk, document=old, source=Source.STAFF, by=SYSTEM)
    commands.authorize(person.pk, document=expired, source=Source.STAFF, by=SYSTEM)
    assert queries.facts_for([person.pk], None)[person.pk].authorization.id == kept.pk
