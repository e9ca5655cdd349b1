import pytest

from content.lint import Draft, Known, lint
from content.starters import STARTERS

ATTRIBUTES = {
    "email": Known("Email", "identity"),
    "first_name": Known("First name", "identity"),
    "diagnosis": Known("Diagnosis", "phi"),
    "old": Known("Old field", "public", removed=True),
}
OWN = "https://mail.clinic.example"
GOOD = "<p>Hello {{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>stop</a></p>"


def findings(html: str = GOOD, *, subject: str = "News", preheader: str = "", text: str = "", **over: object):  # type: ignore[no-untyped-def]
    fields = {"purpose": "operations", "message_class": "commercial"} | over
    has_address = bool(fields.pop("has_address", True))
    return lint(Draft(subject, preheader, html, text, **fields), ATTRIBUTES, own_host=OWN, has_address=has_address)  # type: ignore[arg-type]


def test_a_good_mail_has_no_findings() -> None:
    assert findings() == []


@pytest.mark.parametrize("starter", STARTERS.values(), ids=STARTERS.keys())
def test_every_starter_passes(starter: dict[str, str]) -> None:
    draft = Draft(
        starter["subject"], starter["preheader"], starter["html"], "", starter["purpose"], starter["message_class"]
    )
    assert lint(draft, ATTRIBUTES, own_host=OWN, has_address=True) == []


@pytest.mark.parametrize(
    ("change", "part", "words", "level"),
    [
        ({"subject": ""}, "subject", "no subject", "error"),
        ({"html": "<p></p>"}, "html", "says nothing", "error"),
        ({"html": GOOD + "\n{{ nonsense }}"}, "html", "no merge tag called “nonsense”", "error"),
        ({"html": GOOD + "{{ old }}"}, "html", "was removed", "error"),
        ({"html": GOOD + "{{ first_name }}"}, "html", "will not get this mail", "warning"),
        ({"html": GOOD + "{{ first_name"}, "html", "cannot be read", "error"),
        ({"subject": "Your {{ diagnosis|default('x') }}"}, "subject", "health information", "error"),
        ({"preheader": "{{ diagnosis|default('x') }}"}, "preheader", "health information", "error"),
        (
            {"html": GOOD + "<a href='https://x.example/?d={{ diagnosis|default(1) }}'>a</a>"},
            "html",
            "addresses end up",
            "error",
        ),
        ({"html": GOOD + f"<img src='{OWN}/a.png' alt='{{{{ diagnosis|default(1) }}}}'>"}, "html", "alt text", "error"),
        ({"html": GOOD + "<script>x</script>"}, "html", "Scripts never run", "error"),
        ({"html": GOOD + "<p onclick='x()'>a</p>"}, "html", "Event handlers", "error"),
        ({"html": GOOD + "<a href='javascript:x()'>a</a>"}, "html", "script address", "error"),
        ({"html": GOOD + "<img src='https://cdn.example/a.png' alt=''>"}, "html", "own host only", "error"),
        (
            {"html": GOOD + '<p style="background:url(https://cdn.example/a.png)">a</p>'},
            "html",
            "own host only",
            "error",
        ),
        ({"html": GOOD + f"<img src='{OWN}/a.png'>"}, "html", "alt text", "warning"),
        ({"html": "<style>@import url('https://f.example/x.css')</style>" + GOOD}, "html", "Fonts and styles", "error"),
        ({"html": GOOD + "<form></form>"}, "html", "Forms", "error"),
        ({"html": GOOD + "<a href='/relative'>a</a>"}, "html", "whole address", "error"),
        ({"html": GOOD + "<a href='http://x.example'>a</a>"}, "html", "not encrypted", "warning"),
        ({"html": "<p>Hello <a href='{{ unsubscribe_url }}'>stop</a></p>"}, "html", "postal address", "error"),
        ({"html": "<p>Hello {{ organization.postal_address }}</p>"}, "html", "way out", "error"),
        ({"text": "Hello"}, "text", "way out", "error"),
        ({"has_address": False}, "template", "no postal address yet", "error"),
        ({"purpose": "marketing", "message_class": "other"}, "template", "commercial", "error"),
        ({"subject": "Re: your visit"}, "subject", "deceptive", "error"),
        ({"subject": "ACT NOW OR LOSE IT"}, "subject", "shouting", "warning"),
        ({"html": GOOD + "x" * 95_000}, "html", "102 kB", "warning"),
        ({"html": GOOD + "x" * 250_000}, "html", "at most", "error"),
    ],
)
def test_each_fault_is_named_with_its_place(change: dict[str, object], part: str, words: str, level: str) -> None:
    assert any(f.part == part and words in f.message and f.level == level for f in findings(**change)), findings(
        **change
    )


def test_a_finding_says_its_line() -> None:
    found = [f for f in findings(html=GOOD + "\n\n{{ nonsense }}") if "nonsense" in f.message]
    assert found[0].line == 3


def test_transactional_mail_needs_no_way_out() -> None:
    assert findings(html="<p>Your order is ready.</p>", message_class="transactional", has_address=False) == []
