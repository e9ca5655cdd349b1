import pytest
from hypothesis import given
from hypothesis import strategies as st

from content import sandbox
from content.errors import MissingValue, TemplateBroken
from content.tags import uses


def render(source: str, **context: object) -> str:
    return sandbox.compile_source(source, sandbox.HTML)(context)


def test_values_are_escaped_in_html() -> None:
    assert render("Dear {{ name }}", name="<script>&") == "Dear &lt;script&gt;&amp;"


def test_a_value_is_never_itself_a_template() -> None:
    assert render("{{ name }}", name="{{ 7*7 }}") == "{{ 7*7 }}"


@pytest.mark.parametrize(
    "source",
    ["{{ first_name }}", "{{ first_name|upper }}", "{{ first_name ~ 'x' }}", "{% for x in first_name %}{% endfor %}"],
)
def test_a_missing_value_without_fallback_is_named_and_nothing_is_printed(source: str) -> None:
    with pytest.raises(MissingValue) as missing:
        render(source)
    assert missing.value.key == "first_name"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ first_name|default('friend') }}", "friend"),
        ("{{ first_name or 'friend' }}", "friend"),
        ("{% if first_name %}{{ first_name }}{% else %}friend{% endif %}", "friend"),
        ("{{ first_name if first_name else 'friend' }}", "friend"),
    ],
)
def test_every_usual_way_to_say_a_fallback_works(source: str, said: str) -> None:
    assert render(source) == said
    assert uses(source)["first_name"].has_fallback


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ name.__class__ }}",
        "{% include 'other' %}",
        "{% import 'x' as y %}",
        "{{ range(9) }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 10 ** 1000000 }}",
        "{{ '%99999999d' % 1 }}",
        "{{ name|attr('__class__') }}",
        "{{ name|format(3) }}",
        "{% macro m() %}{% endmacro %}",
        "{{ name.upper() }}",
        "{{ name",
        "{% if %}",
        "{% for %}",
        "{{ config }}{{ self._TemplateReference__context }}",
        "{{ lipsum.__globals__ }}",
    ],
)
def test_what_could_break_out_is_refused_with_a_message(source: str) -> None:
    with pytest.raises((TemplateBroken, MissingValue)):
        render(source, name="x")


@given(st.text(max_size=80))
def test_no_text_whatever_gets_more_than_a_refusal(source: str) -> None:
    try:
        result = render(source, name="x")
    except (TemplateBroken, MissingValue):
        return
    assert isinstance(result, str)


def test_an_error_quotes_no_value() -> None:
    with pytest.raises(TemplateBroken) as broken:
        render("{{ name|round }}", name="secret-canary")
    assert "canary" not in str(broken.value)
    assert broken.value.__cause__ is None
