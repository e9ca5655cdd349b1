"""The builder step by step, and what each role is shown."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Action, Role
from contacts.models import Attribute, Kind
from contacts.records import Coded
from core import clock
from core.actors import SYSTEM
from segments import commands, counting, queries
from segments.models import Question, Segment
from tests.accounts.factories import UserFactory, api_token, sign_in
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, attribute, has, is_, rule

pytestmark = pytest.mark.django_db


def client_of(role: Role) -> Client:
    client = Client()
    sign_in(client, UserFactory(roles=[role]))
    return client


@pytest.fixture
def marketer() -> Client:
    return client_of(Role.MARKETER)


@pytest.fixture
def analyst() -> Client:
    return client_of(Role.ANALYST)


STATE = {
    "node": ["r-0:condition"],
    "r.match": "all",
    "r-0.subject": "attribute:state",
    "r-0.op": "is",
    "r-0.value": "MA",
}
NAMED = {**STATE, "name": "In Massachusetts", "description": "", "revision": "0"}


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", response.content.decode())


def test_an_empty_list_says_what_to_do_next(marketer: Client, analyst: Client) -> None:
    assert "Build the first segment" in text(marketer.get(reverse("segments:list")))
    assert "Build the first segment" not in text(analyst.get(reverse("segments:list")))


def test_the_list_asks_as_many_statements_for_three_as_for_one(marketer: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as ran:
            text(marketer.get(reverse("segments:list")))
        return len(ran)

    SegmentFactory(rule=rule(has("E11.9")))
    statements()
    first = statements()
    SegmentFactory.create_batch(2, rule=rule(has("E11.9")))
    assert statements() == first


def test_a_segment_is_built_saved_and_shown(marketer: Client) -> None:
    make_people(3, state="MA")
    page = text(marketer.post(reverse("segments:new"), NAMED, follow=True))
    segment = Segment.objects.get()
    assert segment.rule["root"] == {"all": [{"attribute": "state", "op": "is", "value": "MA"}]}
    assert "In Massachusetts" in page
    assert "People where State is “MA”." in page
    assert "In Massachusetts" not in re.search("<title>.*</title>", page)[0]
    counted = text(marketer.post(reverse("segments:count", args=[segment.pk])))
    assert "<strong>3 people</strong> match." in counted
    assert "•••" in counted
    segment.refresh_from_db()
    assert segment.last_count == 3


def test_a_refused_save_keeps_everything_typed_and_names_the_clause(marketer: Client) -> None:
    typed = {
        **NAMED,
        "node": ["r-0:condition", "r-1:group", "r-1-0:condition"],
        "r-1.match": "any",
        "r-1-0.subject": "attribute:birth_date",
        "r-1-0.op": "age_between",
        "r-1-0.value": "seventy",
        "r-1-0.to": "80",
    }
    page = text(marketer.post(reverse("segments:new"), typed))
    assert "Condition 2.1 (Birth date): Enter an age in years as a whole number." in page
    assert 'value="seventy"' in page
    assert 'value="In Massachusetts"' in page
    assert 'value="MA"' in page
    assert not Segment.objects.exists()
    page = text(marketer.post(reverse("segments:new"), {**NAMED, "name": " "}))
    assert "Give the segment a name." in page
    assert 'value="MA"' in page


def test_an_overtaken_edit_keeps_what_was_typed_and_can_be_saved_as_a_copy(marketer: Client) -> None:
    segment = SegmentFactory(revision=4)
    url = reverse("segments:edit", args=[segment.pk])
    page = text(marketer.post(url, {**NAMED, "revision": "3"}))
    assert "Save as a copy" in page
    assert 'value="MA"' in page
    marketer.post(url, {**NAMED, "revision": "3", "as_copy": "1"})
    assert Segment.objects.count() == 2
    assert Segment.objects.get(pk=segment.pk).revision == 4


def test_editing_shows_the_rule_as_it_was_saved(marketer: Client) -> None:
    codes = {"attribute": "conditions", "op": "has", "value": ["E11.*"], "when": {"in_last": {"days": 90}}}
    segment = SegmentFactory(rule=rule(codes, {"none": [is_("state", "NY")]}))
    page = text(marketer.get(reverse("segments:edit", args=[segment.pk])))
    assert 'name="r-0.value" value="E11.*"' in page
    assert 'name="r-0.days" id="r-0.days" value="90"' in page
    assert '<option value="none" selected>' in page
    assert 'value="NY"' in page


def test_steps_answer_with_the_tree_and_nothing_lost(marketer: Client) -> None:
    url = reverse("segments:step")
    page = text(marketer.post(url, {**STATE, "do": "group:r"}))
    assert 'name="node" value="r-1:group"' in page
    assert 'name="node" value="r-1-0:condition"' in page
    assert 'value="MA"' in page
    assert page.count("autofocus") == 1
    assert "Nothing in this group yet." in text(marketer.post(url, {**STATE, "do": "remove:r-0"}))
    for nonsense in (
        {},
        {"node": "x"},
        {"node": ["r-9-9:condition", "r:group", "r-0"], "do": "up:r-0"},
        {"do": ":" * 99},
    ):
        text(marketer.post(url, nonsense))
    assert marketer.get(url).status_code == 405


def test_the_preview_counts_what_is_finished_and_points_at_what_is_wrong(marketer: Client) -> None:
    make_people(3, state=lambda n: "MA" if n else "NY")
    url = reverse("segments:preview")
    assert "<strong>2 people</strong> match." in text(marketer.post(url, STATE))
    half = {**STATE, "node": ["r-0:condition", "r-1:condition"], "r-1.subject": "attribute:birth_date"}
    page = text(marketer.post(url, half))
    assert "<strong>2 people</strong> match." in page
    assert "1 condition not filled in yet" in page
    page = text(marketer.post(url, {**half, "r-1.op": "in_last", "r-1.value": "-4"}))
    assert "cannot be counted" in page
    assert re.search(r'data-into="error-r-1">.*?from 0 to 36,500', page)
    assert "Complete the first condition" in text(marketer.post(url, {}))


def test_codes_are_found_by_name_and_never_asked_for_in_an_address(marketer: Client, analyst: Client) -> None:
    def lists(n: int) -> dict[str, list[Coded]]:
        return {"conditions": [Coded("I10", "Hypertension"), *([Coded("B20", "HIV disease")] if n < 5 else [])]}

    make_people(20, coded=lists)
    picker = {"node": "r-0:condition", "r-0.subject": "attribute:conditions", "r-0.op": "has", "clause": "r-0"}
    url = reverse("segments:offers")
    page = text(marketer.post(url, {**picker, "r-0.q": ""}))
    assert page.index("Hypertension") < page.index("HIV disease")
    assert "20 people" in page
    assert "HIV disease" in text(marketer.post(url, {**picker, "r-0.q": "hiv"}))
    assert "Nobody has a code" in text(marketer.post(url, {**picker, "r-0.q": "<script>"}))
    assert marketer.get(url, {"r-0.q": "hiv"}).status_code == 405
    page = text(analyst.post(url, {**picker, "r-0.q": ""}))
    assert "Hypertension" in page
    assert "HIV" not in page
    assert "people" not in page
    for nonsense in ({}, {**picker, "clause": "r"}, {**picker, "r-0.subject": "attribute:hair"}):
        assert "Use “" not in text(marketer.post(url, nonsense))


def test_an_analyst_asks_one_question_at_a_time_and_sees_no_sample(analyst: Client) -> None:
    make_people(90, state=lambda n: "MA" if n < 40 else "NY")
    page = text(analyst.get(reverse("segments:ask")))
    assert "Save segment" not in page
    url = reverse("segments:preview")
    assert "<strong>" not in text(analyst.post(url, STATE))
    assert not Question.objects.exists()
    page = text(analyst.post(url, {**STATE, "count": "1"}))
    assert "About <strong>40 people</strong> match." in page
    assert "For example" not in page
    assert "•••" not in page
    page = text(analyst.post(url, {**STATE, "r-0.value": "ME", "count": "1"}))
    assert "fewer than 11 people" in page


def test_an_analyst_never_sees_a_count_somebody_else_took(analyst: Client) -> None:
    segment = SegmentFactory(last_count=4321, counted_at="2026-11-01T00:00Z")
    for page in (reverse("segments:list"), reverse("segments:detail", args=[segment.pk])):
        assert "4,321" not in text(analyst.get(page))


def test_a_count_of_a_moment_ago_is_told_again_and_says_so(marketer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    monkeypatch.setattr(queries, "count", lambda rule, **kwargs: counts.append(rule) or len(counts))
    segment = SegmentFactory()
    address = reverse("segments:count", args=[segment.pk])
    pages = [text(marketer.post(address)) for _ in range(3)]
    assert len(counts) == 1
    assert "Counted just now" in pages[0]
    assert all("<strong>1 person</strong>" in page and "A count stands for 15 seconds" in page for page in pages[1:])
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + counting.FRESH)
    assert "<strong>2 people</strong> match." in text(marketer.post(address))
    commands.edit(segment, name="Other", rule=rule(has("B20")), by=SYSTEM)
    assert "<strong>3 people</strong> match." in text(marketer.post(address))


def test_an_analyst_counts_a_saved_segment_as_carefully(analyst: Client) -> None:
    make_people(40, state="MA")
    segment = SegmentFactory()
    page = text(analyst.post(reverse("segments:count", args=[segment.pk])))
    assert "About <strong>40 people</strong>" in page
    segment.refresh_from_db()
    assert segment.last_count is None


def test_when_the_questions_of_the_day_are_used_up_the_page_says_so(
    analyst: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "QUESTIONS_A_DAY", 0)
    assert "Go on tomorrow." in text(analyst.post(reverse("segments:preview"), {**STATE, "count": "1"}))


def test_a_segment_on_a_removed_attribute_shows_what_to_mend(marketer: Client) -> None:
    attribute("plan", Kind.CHOICE, "BCBS")
    segment = SegmentFactory(rule=rule({"attribute": "plan", "op": "is_empty"}))
    Attribute.objects.filter(key="plan").update(removed_at="2026-03-01T00:00Z")
    assert "Needs attention" in text(marketer.get(reverse("segments:list")))
    page = text(marketer.get(reverse("segments:detail", args=[segment.pk])))
    assert "Condition 1: The attribute “Plan” was removed on 01 Mar 2026" in page
    assert "was removed" in text(marketer.post(reverse("segments:count", args=[segment.pk])))
    page = text(marketer.get(reverse("segments:edit", args=[segment.pk])))
    assert "Plan (removed)" in page
    assert "This rule needs mending" in page
    assert page.count("was removed on 01 Mar 2026") == 2


def test_archive_restore_and_duplicate(marketer: Client) -> None:
    segment = SegmentFactory(name="Old")
    marketer.post(reverse("segments:archive", args=[segment.pk]))
    assert "Old" not in text(marketer.get(reverse("segments:list")))
    assert "Old" in text(marketer.get(reverse("segments:list"), {"archived": ""}))
    assert marketer.get(reverse("segments:edit", args=[segment.pk])).status_code == 302
    marketer.post(reverse("segments:restore", args=[segment.pk]))
    page = text(marketer.post(reverse("segments:duplicate", args=[segment.pk]), follow=True))
    assert 'value="Copy of Old"' in page


def test_only_marketers_build(analyst: Client) -> None:
    segment = SegmentFactory()
    for name, args in (("new", []), ("edit", [segment.pk])):
        assert analyst.get(reverse(f"segments:{name}", args=args)).status_code == 403
    for name in ("archive", "restore", "duplicate", "edit"):
        assert analyst.post(reverse(f"segments:{name}", args=[segment.pk])).status_code == 403
    assert analyst.post(reverse("segments:new"), NAMED).status_code == 403


def test_injected_text_stays_text(marketer: Client) -> None:
    nasty = "<script>alert(1)</script>{{ 7|add:7 }}'; DROP TABLE segments_segment; --"
    page = text(marketer.post(reverse("segments:new"), {**NAMED, "name": nasty, "r-0.value": nasty}, follow=True))
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    assert text(marketer.post(reverse("segments:preview"), {**STATE, "r-0.value": nasty}))
    assert Segment.objects.get().name == nasty


def test_an_approver_may_count_what_a_marketer_combined_and_kept(marketer: Client) -> None:
    make_people(2, last_name="Smith", coded={"conditions": [Coded("B20")]})
    segment = SegmentFactory(rule=rule(is_("last_name", "Smith"), has("B20")))
    approver = client_of(Role.APPROVER)
    assert "<strong>2 people</strong>" in text(approver.post(reverse("segments:count", args=[segment.pk])))
    asked = {**STATE, "node": ["r-0:condition", "r-1:condition"], "r-0.subject": "attribute:last_name"}
    asked |= {"r-1.subject": "attribute:conditions", "r-1.op": "has", "r-1.value": "B20"}
    assert "identified people" in text(approver.post(reverse("segments:preview"), asked))


def test_a_form_nested_without_end_is_cut_off(marketer: Client) -> None:
    nodes = [f"r{'-0' * depth}:group" for depth in range(1, 2_000)]
    for name in ("step", "preview"):
        text(marketer.post(reverse(f"segments:{name}"), {"node": nodes, "do": "condition:r"}))
    assert "8 deep" in text(marketer.post(reverse("segments:new"), {**NAMED, "node": nodes[:14]}))


def test_no_sample_is_shown_of_a_known_persons_health(marketer: Client) -> None:
    make_people(1, last_name="Smith", coded={"conditions": [Coded("B20")]})
    named = SegmentFactory(rule=rule(is_("last_name", "Smith"), has("B20")))
    page = text(marketer.post(reverse("segments:count", args=[named.pk])))
    assert "<strong>1 person</strong> matches" in page
    assert "For example" not in page
    assert "That you asked is in the trail" in page
    plain = SegmentFactory(rule=rule(is_("last_name", "Smith")))
    page = text(marketer.post(reverse("segments:count", args=[plain.pk])))
    assert "For example" in page
    assert "is in the trail" not in page


def test_texts_are_offered_where_eleven_share_them_and_never_those_that_name_somebody(marketer: Client) -> None:
    make_people(30, city=lambda n: "Salem" if n < 18 else "Lynn" if n < 29 else "Nowhere", last_name="Smith")
    picker = {"node": "r-0:condition", "r-0.op": "is", "clause": "r-0"}
    url = reverse("segments:offers")
    page = text(marketer.post(url, {**picker, "r-0.subject": "attribute:city"}))
    assert page.index("Salem") < page.index("Lynn")
    assert "18 people" in page
    assert "Nowhere" not in page
    assert "Lynn" not in text(marketer.post(url, {**picker, "r-0.subject": "attribute:city", "r-0.value": "sal"}))
    assert "Smith" not in text(marketer.post(url, {**picker, "r-0.subject": "attribute:last_name"}))


def test_each_condition_says_how_many_it_keeps_by_itself(marketer: Client, analyst: Client) -> None:
    make_people(90, state=lambda n: "MA" if n < 40 else "NY", city=lambda n: "Lynn" if n % 2 else "Salem")
    both = {**STATE, "node": ["r-0:condition", "r-1:condition", "r-2:condition"]}
    both |= {"r-2.subject": "attribute:city", "r-2.op": "is", "r-2.value": "Lynn"}
    url = reverse("segments:preview")
    page = text(marketer.post(url, both))
    assert "<strong>20 people</strong>" in page
    assert '<div data-into="kept-r-0">40 people match this alone</div>' in page
    assert '<div data-into="kept-r-1"></div>' in page, "what is not filled in yet counts nobody"
    assert '<div data-into="kept-r-2">45 people match this alone</div>' in page
    assert "this alone" not in text(analyst.post(url, {**both, "count": "whole"}))
    asked = Question.objects.count()
    page = text(analyst.post(url, {**both, "r-2.value": "Salem", "count": "parts"}))
    assert "about 40 people match this alone" in page
    assert Question.objects.count() == asked + 3


def asked_code(*more: dict[str, str]) -> dict[str, Any]:
    """The form of a builder with one code, and what else is asked."""
    code = {"r-0.subject": "attribute:conditions", "r-0.op": "has", "r-0.value": "Z21"}
    form: dict[str, Any] = {"node": ["r-0:condition"], "r.match": "all", **code}
    for n, clause in enumerate(more, 1):
        form["node"].append(f"r-{n}:condition")
        form |= {f"r-{n}.{part}": value for part, value in clause.items()}
    return form


def test_that_a_rare_code_has_a_name_here_is_not_told_to_who_sees_no_small_cells(
    analyst: Client, marketer: Client
) -> None:
    make_people(2, coded={"conditions": [Coded("Z21", "Asymptomatic HIV")]})
    for step in ("segments:step", "segments:preview"):
        assert "Asymptomatic" not in text(analyst.post(reverse(step), asked_code()))
        assert "Asymptomatic" in text(marketer.post(reverse(step), asked_code()))


def test_no_sample_is_shown_of_a_handful_picked_out_beside_health(marketer: Client) -> None:
    make_people(12, state="MA", coded={"conditions": [Coded("Z21", "Asymptomatic HIV")]})
    make_people(1, state="NY", coded={"conditions": [Coded("Z21", "Asymptomatic HIV")]})
    url, administrator = reverse("segments:pause"), client_of(Role.ADMINISTRATOR)
    for state, told in (("MA", True), ("NY", False)):
        form = asked_code({"subject": "attribute:state", "op": "is", "value": state})
        assert bool(administrator.post(url, form).context.get("sample")) is told
        assert marketer.post(url, form).context.get("sample")


def test_the_list_says_of_snapshots_who_is_in_them(marketer: Client) -> None:
    by = UserFactory(roles=[Role.MARKETER])
    commands.start_list(name="By hand", by=by)
    commands.snapshot(rule(is_("state", "MA")), name="Of a day", by=by)
    page = text(marketer.get(reverse("segments:list")))
    assert "Whoever was put in by hand." in page
    assert "As of one day: people where State is “MA”." in page
    assert "Needs attention" not in page


def test_lists_of_segments_that_name_others_take_the_same_statements_however_many(marketer: Client) -> None:
    headers = api_token([Action.SEGMENTS_VIEW.value])[1]

    def statements(more: int) -> tuple[int, int]:
        for number in range(more):
            inner = SegmentFactory(name=f"Inner {more} {number}")
            by_way_of = rule({"segment": str(inner.pk), "op": "in"})
            commands.create(name=f"Outer {more} {number}", rule=by_way_of, by=SYSTEM)
        with CaptureQueriesContext(connection) as page:
            assert marketer.get(reverse("segments:list")).status_code == 200
        with CaptureQueriesContext(connection) as api:
            assert Client().get("/api/v1/segments", headers=headers).status_code == 200
        return len(page), len(api)

    statements(1)
    assert statements(2) == statements(5)
