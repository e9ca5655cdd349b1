"""TRK-06 from one journey to the next: what a scanner clicks never decides what is said of somebody's health."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import segments.commands as segments
from contacts import attributes
from core.purposes import Purpose
from tests.content.factories import GOOD_HTML, TemplateFactory
from tests.workflows.factories import (
    AttributeFactory,
    SegmentFactory,
    linear,
    mail,
    make_draft,
    make_people,
    make_workflow,
    marketer,
    place,
    publish,
    rule,
)
from workflows import steering, uses
from workflows.language import checks, parsing
from workflows.language.definition import from_json
from workflows.models import Workflow

pytestmark = pytest.mark.django_db
Json = dict[str, Any]


def test_nothing_about_health_hangs_on_a_click_in_another_journey_by_entering_a_list_or_a_value() -> None:
    """Whichever of the two is published last is refused."""
    AttributeFactory(key="keen")
    kept = segments.start_list(name="Keen", by=marketer())
    quiet = linear(mail())
    tells = linear(
        mail(template=TemplateFactory(html=GOOD_HTML.replace("Hello", "{{ conditions }}"), purpose=Purpose.TREATMENT)),
        trigger={"kind": "manual", "chosen_by": "phi"},
    )

    def by(step: Json) -> Json:
        return linear(step, trigger={"kind": "engaged", "event": "clicked"})

    def of(definition: Json, workflow: Workflow) -> set[str]:
        problems = checks.check(parsing.parse(definition), workflow=workflow)
        return {problem.step for problem in problems if problem.level == "error" and "TRK-06" in problem.text}

    ways: list[tuple[Callable[[Workflow], Json], Json]] = [
        (lambda other: {"kind": "enter", "workflow": str(other.pk)}, {}),
        (
            lambda _: {"kind": "list", "segment": str(kept.pk), "change": "add"},
            {"trigger": {"kind": "segment", "segment": str(kept.pk)}},
        ),
        (
            lambda _: {"kind": "list", "segment": str(kept.pk), "change": "add"},
            {"only": rule({"segment": str(kept.pk), "op": "in"})},
        ),
        (
            lambda _: {"kind": "set_attribute", "attribute": "keen", "value": "yes"},
            {"trigger": {"kind": "attribute", "attribute": "keen", "becomes": ["yes"]}},
        ),
    ]
    for act, begins in ways:
        second = make_workflow({**quiet, **begins})
        first = make_workflow(by(act(second)))
        assert of({**tells, **begins}, second) == {"s1"}
        assert of({**quiet, **begins}, second) == set()
        assert of(tells, second) == ({"s1"} if not begins else set())
        steering.stop(first, by=marketer())
        assert of({**tells, **begins}, second) == set()
        publish(second, {**tells, **begins})
        assert of(by(act(second)), first) == {"s1"}
        assert of(linear(act(second)), first) == set()
        between = make_workflow(linear({"kind": "enter", "workflow": str(second.pk)}))
        assert of(by({"kind": "enter", "workflow": str(between.pk)}), first) == {"s1"}
        steering.stop(between, by=marketer())
        steering.stop(second, by=marketer())


#: Sets a value because of a click.
KEEN = linear(
    {"kind": "set_attribute", "attribute": "keen", "value": "yes"}, trigger={"kind": "engaged", "event": "clicked"}
)
HEALTH = GOOD_HTML.replace("Hello", "{{ conditions }}")


def _telling(**more: Any) -> Json:
    told = mail(template=TemplateFactory(html=HEALTH, purpose=Purpose.TREATMENT))
    return linear(told, **{"trigger": {"kind": "manual", "chosen_by": "phi"}, **more})


def test_a_draft_is_checked_with_as_many_statements_however_many_journeys_run_and_each_is_opened_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    AttributeFactory(key="keen")
    gold = rule({"attribute": "keen", "op": "is", "value": "yes"})
    draft = make_draft()
    clicked = parsing.parse(KEEN)
    opened = 0

    def counted(raw: object) -> Any:
        nonlocal opened
        opened += 1
        return from_json(raw)

    monkeypatch.setattr(uses, "from_json", counted)

    def statements() -> int:
        checks.check(clicked, workflow=draft)
        with CaptureQueriesContext(connection) as queries:
            problems = checks.check(clicked, workflow=draft)
        assert any("TRK-06" in problem.text for problem in problems)
        return len(queries)

    make_workflow(_telling(only=gold))
    few, opened = statements(), 0
    for _ in range(4):
        make_workflow(_telling(only=gold))
    opened = 0
    assert statements() == few
    assert opened <= 4


def test_a_rule_that_could_not_be_read_for_a_while_counts_again_as_soon_as_it_can() -> None:
    keen = AttributeFactory(key="keen")
    make_workflow(_telling(only=rule({"attribute": "keen", "op": "is", "value": "yes"})))

    def refused() -> bool:
        return any("TRK-06" in problem.text for problem in checks.check(parsing.parse(KEEN)))

    attributes.remove(keen, by=marketer())
    assert not refused()
    attributes.restore(keen, by=marketer())
    assert refused()


def test_a_version_nobody_is_on_any_more_counts_no_longer() -> None:
    AttributeFactory(key="keen")
    by_keen = {"trigger": {"kind": "attribute", "attribute": "keen", "becomes": ["yes"]}}
    journey = make_workflow(_telling(**by_keen))
    (row,) = place(journey, make_people(1))
    clicked = parsing.parse(KEEN)
    publish(journey, linear(mail()))
    assert any("TRK-06" in problem.text for problem in checks.check(clicked))
    steering.remove(journey, [row.pk], by=marketer())
    assert not any("TRK-06" in problem.text for problem in checks.check(clicked))


def test_segments_that_other_journeys_name_are_opened_together_and_asked_as_they_are_now() -> None:
    AttributeFactory(key="keen")
    gold = rule({"attribute": "keen", "op": "is", "value": "yes"})
    groups = [SegmentFactory(rule=gold, name=f"Group {n}") for n in range(5)]

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            problems = checks.check(parsing.parse(KEEN))
        assert any("TRK-06" in problem.text for problem in problems)
        return len(queries)

    def names(*some: Any) -> Json:
        inside = rule(*({"segment": str(one.pk), "op": "in"} for one in some), match="any")
        return _telling(only=inside)

    make_workflow(names(groups[0]))
    statements()
    few = statements()
    for one in groups[1:]:
        make_workflow(names(one))
    statements()
    assert statements() == few
    for one in groups:
        one.rule = rule({"attribute": "city", "op": "is", "value": "Rome"})
        one.save()
    assert not any("TRK-06" in problem.text for problem in checks.check(parsing.parse(KEEN)))
