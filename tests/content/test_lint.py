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
        ({"html": GOOD + "<a href=https://x.example/?d={{ diagnosis }}>a</a>"}, "html", "addresses end up", "error"),
        ({"html": GOOD + "<A HREF = 'https://x.example/{{ diagnosis }}'>a</A>"}, "html", "addresses end up", "error"),
        ({"html": GOOD + "<a href='{{ diagnosis }}'>a</a>"}, "html", "addresses end up", "error"),
        ({"html": GOOD + "<a href='{{ unsubscribe_url }}?{{ email }}'>a</a>"}, "html", "addresses end up", "error"),
        ({"html": GOOD + "<img alt='' src=https://x.example/p.gif>"}, "html", "own host only", "error"),
        ({"html": GOOD + "<img alt='' src=https://x.example/{{ email }}>"}, "html", "addresses end up", "error"),
        (
            {"html": GOOD + f"<img alt='' srcset='{OWN}/a 1x, https://x.example/b 2x'>"},
            "html",
            "own host only",
            "error",
        ),
        ({"html": GOOD + "<table background=//x.example/a.png></table>"}, "html", "own host only", "error"),
        (
            {"html": GOOD + "<p style='background:url(https://x.example/{{ email }})'>a</p>"},
            "html",
            "merge tag",
            "error",
        ),
        ({"html": GOOD + "<p style='background:u\\72l(x)'>a</p>"}, "html", "backslashes", "error"),
        ({"html": "<style>p{color:{{ email }}}</style>" + GOOD}, "html", "merge tag", "error"),
        ({"html": "<style>p{background:url(//x.example/a)}</style>" + GOOD}, "html", "own host only", "error"),
        (
            {"html": GOOD + "<a hr{% if email %}ef='https://x.example/'{% endif %}>a</a>"},
            "html",
            "part of its name",
            "error",
        ),
        ({"html": GOOD + "<a {{ first_name }}>a</a>"}, "html", "stand for an attribute", "error"),
        ({"html": GOOD + "<!--[if mso]><img src=https://x.example/a><![endif]-->"}, "html", "comment", "error"),
        ({"html": GOOD + "<!-- {{ diagnosis|default(1) }} -->"}, "html", "comment", "error"),
        ({"html": GOOD + "<meta http-equiv=refresh content='0;url=https://x.example'>"}, "html", "by itself", "error"),
        ({"html": GOOD + "<svg><image href='https://x.example/a'/></svg>"}, "html", "Drawings", "error"),
        ({"html": GOOD + "<p title='{{ diagnosis|default(1) }}'>a</p>"}, "html", "title text", "error"),
        ({"html": GOOD + "<a href='ja&#118;ascript:x()'>a</a>"}, "html", "script address", "error"),
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


@pytest.mark.parametrize(
    "html",
    [
        GOOD + "{% if first_name %}<p>Hi {{ first_name }}</p>{% endif %}",
        GOOD + "<p {% if first_name %} class='a' {% endif %}>x</p>",
        GOOD + f"<img alt='Logo of {{{{ organization.name }}}}' src='{OWN}/logo.png'>",
        GOOD + "<!--[if mso]><p>Outlook</p><![endif]-->",
        GOOD + "<p style='color:#333;background:url(data:image/png;base64,AAAA)'>x</p>",
        GOOD + "<table>{% for m in [1] %}<tr><td>x</td></tr>{% endfor %}</table>",
    ],
)
def test_what_is_harmless_is_left_alone(html: str) -> None:
    assert findings(html=html) == []


def test_transactional_mail_needs_no_way_out() -> None:
    assert findings(html="<p>Your order is ready.</p>", message_class="transactional", has_address=False) == []
