# ruff: noqa: E501 - the table reads best one row a line
"""The gate's decision table, and what must hold of it whatever the facts are."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.state import AuthorizationFacts, ConsentFacts
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity
from delivery.gate import (
    Decision,
    MessageFacts,
    Policy,
    Reason,
    RecipientFacts,
    RelayFacts,
    Verdict,
    address_problem,
    decide,
)
from delivery.reasons import WORDS

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
DIGEST = b"d" * 32


def uid(n: int) -> UUID:
    return UUID(int=n)


RELAY = RelayFacts(uid(1), "Mail Service", date(2026, 1, 1), None, True)
AUTHORIZATION = AuthorizationFacts(uid(2), ("marketing",), True, NOW + timedelta(days=1), True)
YES = ConsentFacts(
    opted_in=uid(3), double=True, address_confirmed=uid(4), authorization=AUTHORIZATION, special_consent=uid(5)
)
#: A message and a person about whom nothing is wrong, at the strictest tier.
MESSAGE = MessageFacts(
    purpose=Purpose.MARKETING,
    message_class=MessageClass.COMMERCIAL,
    tier=Sensitivity.SPECIAL,
    version_id=uid(6),
    content_digest=DIGEST,
    approved_digest=DIGEST,
    relay=RELAY,
    topic_id=uid(7),
    has_postal_address=True,
    sender_verified=True,
)
PERSON = RecipientFacts(uid(8), address="ann@example.com", consent=YES, suppressed="", shared_address=False)
POLICY = Policy()


def ask(message: dict[str, Any] | None = None, person: dict[str, Any] | None = None, **policy: Any) -> Decision:
    """The gate's answer where only this differs from the facts above; `consent` may be a dict of differences."""
    person = dict(person or {})
    if isinstance(person.get("consent"), dict):
        person["consent"] = replace(YES, **person["consent"])
    return decide(
        msgspec.structs.replace(MESSAGE, **(message or {})),
        msgspec.structs.replace(PERSON, **person),
        msgspec.structs.replace(POLICY, **policy),
        NOW,
    )


def test_whoever_said_yes_to_everything_gets_it_and_the_decision_names_what_it_rests_on() -> None:
    answer = ask()
    assert answer.verdict == Verdict.ALLOW
    assert answer.basis == {
        "version": str(uid(6)),
        "topic": str(uid(7)),
        "relay": str(uid(1)),
        "opt_in": str(uid(3)),
        "address_confirmed": str(uid(4)),
        "special_consent": str(uid(5)),
        "authorization": str(uid(2)),
    }


COMMERCIAL_OPERATIONS = {"purpose": Purpose.OPERATIONS, "tier": Sensitivity.IDENTITY}
REMINDER = {"purpose": Purpose.TREATMENT, "message_class": MessageClass.OTHER, "tier": Sensitivity.PHI}
RECEIPT = {"purpose": Purpose.PAYMENT, "message_class": MessageClass.TRANSACTIONAL, "tier": Sensitivity.IDENTITY}
FUNDRAISING = {
    "purpose": Purpose.FUNDRAISING,
    "message_class": MessageClass.OTHER,
    "tier": Sensitivity.IDENTITY,
}
PUBLIC = {"tier": Sensitivity.PUBLIC}
PHI = {"tier": Sensitivity.PHI}
NO_BAA = RelayFacts(uid(1), "", None, None, True)


def consent(**differs: Any) -> dict[str, Any]:
    return {"consent": differs}


def authorization(**differs: Any) -> dict[str, Any]:
    return consent(authorization=replace(AUTHORIZATION, **differs))


def relay(**differs: Any) -> dict[str, Any]:
    return {"relay": msgspec.structs.replace(RELAY, **differs)}


TABLE: list[tuple[str, dict[str, Any], dict[str, Any], list[Reason]]] = [
    # -- the person -----------------------------------------------------------------------------------------------
    ("deleted", {}, {"exists": False, "address": ""}, [Reason.CONTACT_DELETED]),
    ("no address", {}, {"address": ""}, [Reason.ADDRESS_MISSING]),
    ("bad address", {}, {"address": "ann at example.com"}, [Reason.ADDRESS_INVALID]),
    ("line break in the address", {}, {"address": "ann@example.com\r\nBcc: x@y.example"}, [Reason.ADDRESS_INVALID]),
    ("letters we cannot write", {}, {"address": "änne@example.com"}, [Reason.ADDRESS_NOT_ASCII]),
    ("IDN domain", {}, {"address": "ann@bücher.example"}, []),
    ("suppressed", {}, {"suppressed": "bounced"}, [Reason.SUPPRESSED]),
    ("suppressed, receipt", RECEIPT, {"suppressed": "unsubscribed"}, [Reason.SUPPRESSED]),
    ("suppression unknown", RECEIPT, {"suppressed": None}, [Reason.FACTS_UNKNOWN]),
    ("consent unknown", RECEIPT, {"consent": None}, [Reason.FACTS_UNKNOWN]),
    # -- opt-in and opt-out by class and purpose --------------------------------------------------------------------
    ("commercial without opt-in", COMMERCIAL_OPERATIONS, consent(opted_in=None), [Reason.NO_OPT_IN]),
    ("where an opt-out is enough", {**COMMERCIAL_OPERATIONS, "topic_requires_opt_in": False}, consent(opted_in=None), []),
    ("reminder needs no opt-in", REMINDER, consent(opted_in=None), []),
    ("receipt needs no opt-in", RECEIPT, consent(opted_in=None), []),
    ("marketing that is not commercial needs it, too", {"message_class": MessageClass.OTHER}, consent(opted_in=None), [Reason.NO_OPT_IN]),
    ("opt-out", COMMERCIAL_OPERATIONS, consent(opted_in=None, opted_out=True), [Reason.OPTED_OUT, Reason.NO_OPT_IN]),
    ("opt-out of a reminder's topic", REMINDER, consent(opted_out=True), [Reason.OPTED_OUT]),
    ("opt-out of everything", REMINDER, consent(opted_out_all=True), [Reason.OPTED_OUT_ALL]),
    ("receipt passes opt-outs", RECEIPT, consent(opted_out=True, opted_out_all=True), []),
    ("marketing in a receipt's clothes does not", {**RECEIPT, "purpose": Purpose.MARKETING}, consent(opted_out=True), [Reason.OPTED_OUT]),
    ("fundraising ignores the marketing opt-in", FUNDRAISING, consent(opted_in=None), []),
    ("fundraising honours its own opt-out", FUNDRAISING, consent(opted_out=True), [Reason.OPTED_OUT]),
    ("fundraising as a transaction, too", {**FUNDRAISING, "message_class": MessageClass.TRANSACTIONAL}, consent(opted_out_all=True), [Reason.OPTED_OUT_ALL]),
    ("commercial without a topic", {**COMMERCIAL_OPERATIONS, "topic_id": None, "topic_requires_opt_in": False}, {}, [Reason.TOPIC_MISSING]),
    ("fundraising without a topic", {**FUNDRAISING, "topic_id": None}, {}, [Reason.TOPIC_MISSING]),
    ("receipt without a topic", {**RECEIPT, "topic_id": None}, {}, []),
    # -- HIPAA authorization ----------------------------------------------------------------------------------------
    ("marketing with PHI, unsigned", PHI, consent(authorization=None), [Reason.NO_AUTHORIZATION]),
    ("marketing with identity only", {"tier": Sensitivity.IDENTITY}, consent(authorization=None), []),
    ("treatment with PHI", REMINDER, consent(authorization=None), []),
    ("incomplete", PHI, authorization(complete=False), [Reason.AUTHORIZATION_DEFECTIVE]),
    ("expires this instant", PHI, authorization(expires_at=NOW), [Reason.AUTHORIZATION_EXPIRED]),
    ("expires an instant later", PHI, authorization(expires_at=NOW + timedelta(microseconds=1)), []),
    ("expires in another zone's past", PHI, authorization(expires_at=datetime.fromisoformat("2026-11-22T16:30:00+02:00")), [Reason.AUTHORIZATION_EXPIRED]),
    ("does not expire", PHI, authorization(expires_at=None), []),
    ("for something else", PHI, authorization(purposes=("research",)), [Reason.AUTHORIZATION_PURPOSE]),
    ("paid for and silent on it", {**PHI, "remunerated": True}, authorization(states_remuneration=False), [Reason.AUTHORIZATION_REMUNERATION]),
    ("paid for and said so", {**PHI, "remunerated": True}, {}, []),
    ("paid treatment mail is marketing", {**REMINDER, "remunerated": True}, consent(authorization=None), [Reason.NO_AUTHORIZATION]),
    ("special without its own consent", {}, consent(special_consent=None), [Reason.NO_SPECIAL_CONSENT]),
    ("an authorization is not that consent", REMINDER | {"tier": Sensitivity.SPECIAL}, consent(special_consent=None), [Reason.NO_SPECIAL_CONSENT]),
    # -- the address for PHI ----------------------------------------------------------------------------------------
    ("unconfirmed", REMINDER, consent(address_confirmed=None), [Reason.ADDRESS_UNCONFIRMED]),
    ("unconfirmed, without PHI", RECEIPT, consent(address_confirmed=None), []),
    ("shared", REMINDER, {"shared_address": True}, [Reason.ADDRESS_SHARED]),
    ("shared, without PHI", RECEIPT, {"shared_address": True}, []),
    ("sharing unknown", REMINDER, {"shared_address": None}, [Reason.FACTS_UNKNOWN]),
    # -- the relay --------------------------------------------------------------------------------------------------
    ("no relay", {**RECEIPT, "relay": None}, {}, [Reason.NO_RELAY]),
    ("no agreement", {**RECEIPT, "relay": NO_BAA}, {}, [Reason.NO_AGREEMENT]),
    ("no agreement, public", {**PUBLIC, "relay": NO_BAA}, {}, []),
    ("agreement expired", RECEIPT | relay(baa_expires_on=date(2026, 11, 21)), {}, [Reason.NO_AGREEMENT]),
    ("agreement's last day", RECEIPT | relay(baa_expires_on=date(2026, 11, 22)), {}, []),
    ("agreement not yet", RECEIPT | relay(baa_signed_on=date(2026, 11, 23)), {}, [Reason.NO_AGREEMENT]),
    ("agreement with nobody", RECEIPT | relay(baa_party=""), {}, [Reason.NO_AGREEMENT]),
    ("onward TLS not enforced", REMINDER | relay(enforces_tls_onward=False), {}, [Reason.ONWARD_TLS_NOT_ENFORCED]),
    ("onward TLS, without PHI", RECEIPT | relay(enforces_tls_onward=False), {}, []),
    # -- the message ------------------------------------------------------------------------------------------------
    ("changed after approval", {"content_digest": b"e" * 32}, {}, [Reason.NOT_APPROVED]),
    ("never approved", {"approved_digest": None}, {}, [Reason.NOT_APPROVED]),
    ("no postal address", {"has_postal_address": False}, {}, [Reason.NO_POSTAL_ADDRESS]),
    ("no postal address, not commercial", {**REMINDER, "has_postal_address": False}, {}, []),
    ("sender unverified", {"sender_verified": False}, {}, [Reason.SENDER_UNVERIFIED]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "person", "reasons"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_decision_table(message: dict[str, Any], person: dict[str, Any], reasons: list[Reason]) -> None:
    answer = ask(message, person)
    assert set(answer.reasons) == set(reasons)
    assert answer.verdict == (Verdict.REFUSE if reasons else Verdict.ALLOW)


def test_every_reason_is_said_in_words_with_what_to_do() -> None:
    for reason in Reason:
        assert WORDS[reason].sentence.endswith(".")
        assert WORDS[reason].what_to_do


# -- time ------------------------------------------------------------------------------------------------------------

QUIET = {"quiet_from_hour": 21, "quiet_until_hour": 8}


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("America/New_York", None),  # 10:00
        ("America/Los_Angeles", datetime(2026, 11, 22, 16, 0, tzinfo=UTC)),  # 07:00 there
        ("Asia/Tokyo", datetime(2026, 11, 22, 23, 0, tzinfo=UTC)),  # 00:00 there
        ("Not/AZone", None),  # the organization's: UTC, 15:00
        ("../../etc/passwd", None),
    ],
)
def test_quiet_hours_are_those_of_the_persons_zone(zone: str, until: datetime | None) -> None:
    answer = ask(person={"time_zone": zone}, **QUIET)
    assert answer.until == until
    assert answer.verdict == (Verdict.DEFER if until else Verdict.ALLOW)


def test_transactions_know_no_quiet_hours() -> None:
    assert ask(RECEIPT, {"time_zone": "Asia/Tokyo"}, **QUIET).verdict == Verdict.ALLOW


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("recent", "verdict"),
    [
        ((), Verdict.ALLOW),
        ((ago(days=1),), Verdict.ALLOW),
        ((ago(days=8), ago(days=9)), Verdict.ALLOW),  # outside the seven days
        ((ago(days=1), ago(days=2)), Verdict.REFUSE),  # five days to wait is too long
        ((ago(days=6, hours=12), ago(days=1)), Verdict.DEFER),  # twelve hours to wait
        (None, Verdict.REFUSE),  # not known
    ],
)
def test_the_frequency_cap_defers_for_a_day_at_most(recent: tuple[datetime, ...] | None, verdict: Verdict) -> None:
    answer = ask(person={"recent": recent}, cap_messages=2)
    assert answer.verdict == verdict
    if verdict != Verdict.ALLOW:
        assert Reason.FREQUENCY_CAP in answer.reasons


def test_a_capped_message_does_not_leave_into_quiet_hours() -> None:
    # Free of the cap at 03:00 UTC, which is in the night that ends at 08:00.
    recent = (ago(days=6, hours=12), ago(hours=1))
    answer = ask(person={"recent": recent}, cap_messages=2, **QUIET)
    assert answer.until == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("ann@example.com", None),
        ("a.n+n@sub.example.com", None),
        ("  ann@example.com ", None),
        ("", Reason.ADDRESS_MISSING),
        ("   ", Reason.ADDRESS_MISSING),
        ("ann", Reason.ADDRESS_INVALID),
        ("ann@localhost", Reason.ADDRESS_INVALID),
        ("@example.com", Reason.ADDRESS_INVALID),
        ("ann@@example.com", Reason.ADDRESS_INVALID),
        ("ann@exa mple.com", Reason.ADDRESS_INVALID),
        ("ann@-example.com", Reason.ADDRESS_INVALID),
        ("ann@example..com", Reason.ADDRESS_INVALID),
        (".ann@example.com", Reason.ADDRESS_INVALID),
        ('"ann b"@example.com', Reason.ADDRESS_INVALID),
        ("ann@example.com,bob@example.com", Reason.ADDRESS_INVALID),
        ("<ann@example.com>", Reason.ADDRESS_INVALID),
        ("ann@[127.0.0.1]", Reason.ADDRESS_INVALID),
        ("日本@example.com", Reason.ADDRESS_NOT_ASCII),
    ],
)
def test_addresses(address: str, problem: Reason | None) -> None:
    assert address_problem(address) == problem


# -- properties ------------------------------------------------------------------------------------------------------

times = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ids = st.sampled_from([uid(11), uid(12)])
authorizations = st.builds(
    AuthorizationFacts,
    ids,
    st.sampled_from([(), ("marketing",), ("research", "marketing")]),
    st.booleans(),
    st.none() | times,
    st.booleans(),
)
consents = st.builds(
    ConsentFacts, st.none() | ids, st.booleans(), st.booleans(), st.booleans(), st.none() | ids,
    st.none() | authorizations, st.none() | ids,
)  # fmt: skip
relays = st.builds(
    RelayFacts, ids, st.sampled_from(["", "Mail Service"]), st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1)),
    st.none() | st.dates(date(2025, 1, 1), date(2027, 1, 1)), st.booleans(),
)  # fmt: skip
messages = st.builds(
    MessageFacts,
    purpose=st.sampled_from(Purpose.values),
    message_class=st.sampled_from(MessageClass.values),
    tier=st.sampled_from(Sensitivity.values),
    version_id=ids,
    content_digest=st.just(DIGEST),
    approved_digest=st.sampled_from([DIGEST, DIGEST, b"x" * 32, None]),
    relay=st.none() | relays,
    topic_id=st.none() | ids,
    topic_requires_opt_in=st.booleans(),
    remunerated=st.booleans(),
    has_postal_address=st.booleans(),
    sender_verified=st.booleans(),
)
people = st.builds(
    RecipientFacts,
    contact_id=ids,
    exists=st.sampled_from([True, True, True, False]),
    address=st.sampled_from(["ann@example.com", "", "ann"]) | st.text(max_size=20),
    consent=st.none() | consents,
    suppressed=st.sampled_from(["", "", "bounced", None]),
    shared_address=st.sampled_from([False, True, None]),
    time_zone=st.sampled_from(["", "Europe/Berlin", "Pacific/Kiritimati", "America/St_Johns", "nowhere"]),
    recent=st.none() | st.lists(times, max_size=4).map(tuple),
)
hours = st.none() | st.integers(0, 23)
policies = st.builds(
    Policy, st.sampled_from(["UTC", "America/New_York", "bad"]), hours, hours, st.none() | st.integers(0, 3), st.integers(1, 30)
)  # fmt: skip
SEVERITY = {Verdict.ALLOW: 0, Verdict.DEFER: 1, Verdict.REFUSE: 2}
#: Changes that only ever take permission away.
AGAINST: dict[str, Any] = {
    "opt-out": lambda m, p: (m, consent_with(p, opted_out=True)),
    "opt-out of everything": lambda m, p: (m, consent_with(p, opted_out_all=True)),
    "opt-in taken away": lambda m, p: (m, consent_with(p, opted_in=None)),
    "authorization revoked": lambda m, p: (m, consent_with(p, authorization=None)),
    "special consent revoked": lambda m, p: (m, consent_with(p, special_consent=None)),
    "address no longer confirmed": lambda m, p: (m, consent_with(p, address_confirmed=None)),
    "consent unreadable": lambda m, p: (m, msgspec.structs.replace(p, consent=None)),
    "suppressed": lambda m, p: (m, msgspec.structs.replace(p, suppressed="complained")),
    "suppression unreadable": lambda m, p: (m, msgspec.structs.replace(p, suppressed=None)),
    "address shared": lambda m, p: (m, msgspec.structs.replace(p, shared_address=True)),
    "deleted": lambda m, p: (m, msgspec.structs.replace(p, exists=False)),
    "relay gone": lambda m, p: (msgspec.structs.replace(m, relay=None), p),
    "content changed": lambda m, p: (msgspec.structs.replace(m, content_digest=b"z" * 32), p),
    "sender unverified": lambda m, p: (msgspec.structs.replace(m, sender_verified=False), p),
    "postal address gone": lambda m, p: (msgspec.structs.replace(m, has_postal_address=False), p),
    "paid for": lambda m, p: (msgspec.structs.replace(m, remunerated=True), p),
    "tier raised": lambda m, p: (msgspec.structs.replace(m, tier=Sensitivity.SPECIAL), p),
    "opt-in required": lambda m, p: (msgspec.structs.replace(m, topic_requires_opt_in=True), p),
}


def consent_with(person: RecipientFacts, **differs: Any) -> RecipientFacts:
    known = person.consent or ConsentFacts()
    worse = None if person.consent is None else replace(known, **differs)
    return msgspec.structs.replace(person, consent=worse)


@given(messages, people, policies, times, st.sampled_from(sorted(AGAINST)))
def test_nothing_that_takes_permission_away_ever_lets_a_message_out(
    message: MessageFacts, person: RecipientFacts, policy: Policy, now: datetime, change: str
) -> None:
    before = decide(message, person, policy, now)
    after = decide(*AGAINST[change](message, person), policy, now)
    assert SEVERITY[after.verdict] >= SEVERITY[before.verdict]


@given(messages, people, policies, times)
def test_what_dominates_dominates(message: MessageFacts, person: RecipientFacts, policy: Policy, now: datetime) -> None:
    for worse in (
        msgspec.structs.replace(person, suppressed="bounced"),
        msgspec.structs.replace(person, suppressed=None),
        msgspec.structs.replace(person, consent=None),
        msgspec.structs.replace(person, exists=False),
        msgspec.structs.replace(person, address=""),
    ):
        assert decide(message, worse, policy, now).verdict == Verdict.REFUSE
    for worse_message in (
        msgspec.structs.replace(message, relay=None),
        msgspec.structs.replace(message, approved_digest=None),
        msgspec.structs.replace(message, sender_verified=False),
    ):
        assert decide(worse_message, person, policy, now).verdict == Verdict.REFUSE


@given(messages, people, policies, times)
def test_an_answer_is_complete_and_the_same_each_time(
    message: MessageFacts, person: RecipientFacts, policy: Policy, now: datetime
) -> None:
    answer = decide(message, person, policy, now)
    assert answer == decide(message, person, policy, now)
    assert bool(answer.reasons) == (answer.verdict != Verdict.ALLOW)
    assert (answer.until is not None) == (answer.verdict == Verdict.DEFER)
    if answer.until is not None:
        assert now < answer.until <= now + timedelta(hours=50)
    if answer.verdict != Verdict.REFUSE and message.tier in (Sensitivity.PHI, Sensitivity.SPECIAL):
        assert {"relay", "address_confirmed"} <= answer.basis.keys()
    assert "@" not in str(answer.as_row())


@given(people, times)
def test_after_a_deferral_ends_the_message_may_leave(person: RecipientFacts, now: datetime) -> None:
    policy = Policy("UTC", 21, 8)
    person = msgspec.structs.replace(PERSON, time_zone=person.time_zone)
    message = msgspec.structs.replace(MESSAGE, tier=Sensitivity.PUBLIC)
    answer = decide(message, person, policy, now)
    if answer.until is not None:
        assert decide(message, person, policy, answer.until).verdict == Verdict.ALLOW
