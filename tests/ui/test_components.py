"""The vocabulary says what it is told, safely, and shows nobody what they may not open."""

import re
from datetime import UTC, date, datetime

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import engines
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.models import User
from accounts.policy import POLICY, Action, Role
from core.cells import coarse
from core.icons import ICONS
from core.navigation import RAIL, Place

pytestmark = pytest.mark.django_db


def user_of(*roles: str, zone: str = "UTC") -> User:
    return User(name="Ada Byron", email="ada@clinic.example", roles=list(roles), time_zone=zone)


def show(source: str, user: User | None = None, path: str = "/", **context: object) -> str:
    request = RequestFactory().get(path)
    request.user = user or user_of(*Role.values)
    return re.sub(r"\s+", " ", engines["django"].from_string(source).render(context, request))


def test_a_component_takes_a_body_and_slots_from_the_page_around_it() -> None:
    html = show(
        '{% ui "header" title=name %}{% slot "state" %}{% badge "DRAFT" %}{% endslot %}Lead of {{ name }}{% endui %}',
        name="Spring <b>",
    )
    assert "<h1>Spring &lt;b&gt;</h1>" in html
    assert "Draft" in html
    assert "Lead of Spring &lt;b&gt;" in html


def test_a_component_does_not_see_names_of_the_page_it_was_not_given() -> None:
    assert "/secret/" not in show('{% ui "header" title="x" %}{% endui %}', back="/secret/")


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("role", Role)
def test_if_may_follows_the_table_of_roles(role: Role, action: Action) -> None:
    html = show("{% if_may action %}yes{% else %}no{% end_if_may %}", user_of(role), action=action.value)
    assert html == ("yes" if role in POLICY[action] else "no")


def places(rail: tuple[Place, ...]) -> list[Place]:
    return [p for place in rail for p in (place, *places(place.inside))]


def test_every_place_of_the_rail_names_a_known_action_and_icon() -> None:
    assert {p.action for p in places(RAIL)} - {""} <= set(Action.values)
    assert {p.icon for p in places(RAIL)} - {""} <= set(ICONS)


@pytest.mark.parametrize("role", Role)
def test_the_rail_shows_only_what_the_role_may_open(role: Role) -> None:
    html = show("{% rail %}", user_of(role))
    for place, action in (("Templates", Action.TEMPLATES_VIEW), ("People", Action.CONTACTS_VIEW)):
        assert (place in html) == (role in POLICY[action])
    settings = show("{% rail %}", user_of(role), path="/settings/organization/")
    assert ("Organization" in settings) == (role is Role.ADMINISTRATOR)
    assert "Home" in html


def test_the_rail_marks_where_one_is() -> None:
    html = show("{% rail %}", path="/settings/organization/")
    assert re.search(r'href="/settings/organization/" aria-current="page"[^>]*>Organization', html)
    assert html.count('aria-current="page"') == 1


def test_a_moment_is_told_in_the_readers_zone_and_names_it() -> None:
    at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    assert "2 Jul 2026, 00:30 CEST" in show("{% moment at %}", user_of(zone="Europe/Berlin"), at=at)
    assert "1 Jul 2026" in show("{% moment at %}", user_of(zone="Europe/Berlin"), at=date(2026, 7, 1))
    assert "22:30 UTC" in show("{% moment at %}", user_of(zone="No/Where"), at=at)
    assert "—" in show("{% moment at %}", at=None)


@pytest.mark.parametrize(
    ("role", "n", "said"),
    [
        (Role.ANALYST, 0, "0 people"),
        (Role.ANALYST, 1, "fewer than 11 people"),
        (Role.ANALYST, 10, "fewer than 11 people"),
        (Role.ANALYST, 11, "about 10 people"),
        (Role.ANALYST, 12408, "about 12,410 people"),
        (Role.MARKETER, 1, "1 person"),
        (Role.MARKETER, 12408, "12,408 people"),
    ],
)
def test_small_counts_are_kept_from_who_sees_aggregates_only(role: Role, n: int, said: str) -> None:
    assert show('{% cell n "person,people" %}', user_of(role), n=n) == said


@pytest.mark.parametrize(("part", "whole", "said"), [(1, 8, "12.5 %"), (0, 5, "0 %"), (5, 5, "100 %"), (1, 0, "—")])
def test_shares(part: int, whole: int, said: str) -> None:
    assert show("{{ part|share:whole }}", part=part, whole=whole) == said


class Sample(forms.Form):
    name = forms.CharField(help_text="As patients know it.")
    way = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect, required=False)
    sure = forms.BooleanField(label="I am sure")


def test_a_refused_field_is_announced_with_its_reason() -> None:
    html = show("{% fields form %}", form=Sample({"name": ""}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_error" role="alert"' in html
    assert "This field is required." in html
    assert "<legend>Way" in html
    assert "<span>I am sure</span>" in html


def test_the_pager_keeps_the_filters() -> None:
    html = show('{% pager page "row" %}', path="/?state=DRAFT&page=2", page=Paginator(range(150), 50).page(2))
    assert "51\N{EN DASH}100 of 150 rows" in html
    assert 'href="?state=DRAFT&amp;page=3"' in html


def test_a_chart_has_its_numbers_in_a_table_and_escapes_them() -> None:
    html = show(
        '{% chart data "Sent" kind="bar" unit="Domain" %}',
        data={"x": ["a.example", '"><script>'], "series": [{"label": "Sent", "values": [1200, 3]}]},
    )
    assert "<script>" not in html
    assert '<th scope="row">a.example</th><td class="number">1,200</td>' in html


def test_an_empty_chart_says_so() -> None:
    assert "Nothing to show yet." in show('{% chart data "Sent" %}', data={"x": [], "series": []})


@pytest.mark.parametrize("name", sorted(ICONS))
def test_every_icon_draws(name: str) -> None:
    assert '<path d="M' in show("{% icon name %}", name=name)


def could_be(count: int) -> range:
    """Every count that is told in the same words."""
    near = range(max(0, count - 12), count + 13)
    alike = [n for n in near if coarse(n) == coarse(count)]
    return range(alike[0], alike[-1] + 1)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=6), st.integers(0, 5))
@example([0, 286], 0)
def test_no_small_count_follows_from_the_others_by_subtraction(parts: list[int], place: int) -> None:
    place %= len(parts)
    parts[place] = parts[place] % 10 + 1
    others = [n for at, n in enumerate(parts) if at != place]
    total = sum(parts)
    most = could_be(total)[-1] - sum(could_be(n)[0] for n in others)
    least = could_be(total)[0] - sum(could_be(n)[-1] for n in others)
    left = set(range(least, most + 1)) & set(range(1, 11))
    # Only where every number told stands at the very edge of its ten does a single answer remain.
    edges = total == could_be(total)[-1] and all(n == could_be(n)[0] for n in others)
    assert len(left) > 1 or edges
