"""Who did it: a table of clients, and what properties hold whatever they say."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.crowds import Crowds
from tracking.models import Event
from tracking.verdict import BURST, CROWD, Visit, in_burst, judge

OPEN, CLICK = Event.Kind.OPEN, Event.Kind.CLICK
HUMAN, MACHINE, UNKNOWN = Event.Verdict.HUMAN, Event.Verdict.MACHINE, Event.Verdict.UNKNOWN
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("kind", "agent", "seconds", "verdict", "client"),
    [
        (OPEN, IPHONE, 600, HUMAN, "phone"),
        (CLICK, CHROME, 600, HUMAN, "desktop"),
        (CLICK, CHROME, 3, MACHINE, "desktop"),
        (OPEN, CHROME, 3, UNKNOWN, "desktop"),
        (OPEN, "Mozilla/5.0", 600, MACHINE, "prefetch"),  # Apple Mail Privacy Protection
        (OPEN, "", 600, MACHINE, "prefetch"),
        (CLICK, "", 600, UNKNOWN, ""),
        (OPEN, GMAIL, 600, UNKNOWN, "proxy"),
        (OPEN, "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", 600, UNKNOWN, "proxy"),
        (CLICK, "BarracudaCentral/1.0", 600, MACHINE, "scanner"),
        (CLICK, "Mozilla/5.0 (compatible; Proofpoint URL Defense)", 600, MACHINE, "scanner"),
        (CLICK, "Mimecast/1.0", 600, MACHINE, "scanner"),
        (CLICK, "Mozilla/5.0 (Windows NT 10.0) SafeLinks", 600, MACHINE, "scanner"),
        (CLICK, "Mozilla/4.0 (compatible; ms-office; MSOffice 16)", 600, MACHINE, "scanner"),
        (CLICK, "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0", 600, MACHINE, "scanner"),
        (CLICK, "python-requests/2.32", 600, MACHINE, "scanner"),
        (CLICK, "curl/8.5.0", 600, MACHINE, "scanner"),
        (CLICK, "Go-http-client/2.0", 600, MACHINE, "scanner"),
        (CLICK, "Slackbot-LinkExpanding 1.0", 600, MACHINE, "scanner"),
        (CLICK, "facebookexternalhit/1.1", 600, MACHINE, "scanner"),
        (CLICK, "Something nobody knows", 600, UNKNOWN, ""),
    ],
)
def test_a_client_is_judged_by_what_it_is(kind, agent, seconds, verdict, client):
    assert judge(Visit(kind, {"user-agent": agent}, timedelta(seconds=seconds))) == (verdict, client)


@pytest.mark.parametrize(
    "header",
    [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x-moz": "prefetch"}, {"x-purpose": "preview"}],
)
def test_a_prefetch_is_no_reader(header):
    assert judge(Visit(CLICK, {"user-agent": CHROME, **header}, timedelta(hours=1))).verdict == MACHINE


def test_a_crowd_from_one_network_is_a_gateway():
    for crowd, verdict in ((CROWD - 1, HUMAN), (CROWD, MACHINE)):
        assert judge(Visit(CLICK, {"user-agent": CHROME}, timedelta(hours=1), crowd)).verdict == verdict


@given(st.text(max_size=300), st.sampled_from([OPEN, CLICK]), st.integers(-10, 10**6), st.integers(1, 100))
def test_any_client_gets_a_verdict(agent, kind, seconds, crowd):
    judged = judge(Visit(kind, {"user-agent": agent}, timedelta(seconds=seconds), crowd))
    assert judged.verdict in Event.Verdict.values
    assert len(judged.client) <= 16


@given(st.integers(0, 9))
def test_nobody_clicks_as_a_person_while_the_mail_is_arriving(seconds):
    assert judge(Visit(CLICK, {"user-agent": IPHONE}, timedelta(seconds=seconds))).verdict != HUMAN


AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_two_links_within_two_seconds_are_a_burst_and_twice_the_same_is_a_double_click():
    assert in_burst([(AT, 0), (AT + BURST, 1), (AT + timedelta(minutes=1), 2)]) == [True, True, False]
    assert in_burst([(AT, 0), (AT + timedelta(milliseconds=200), 0)]) == [False, False]


def test_crowds_forget_and_know_nobody_by_address():
    crowds = Crowds()
    ids = [UUID(int=n) for n in range(12)]
    assert [crowds.count("192.0.2.1", i, now=float(n)) for n, i in enumerate(ids)] == list(range(1, 13))
    assert crowds.count("192.0.2.1", ids[0], now=1000.0) == 1
    assert crowds.count("198.51.100.1", ids[0], now=1000.0) == 1
    assert crowds.count("", ids[0]) == 1
    assert "192.0.2.1" not in repr(crowds.__dict__)
