"""TRK-06 from one journey to the next: what a scanner clicks never decides what is said of somebody's health."""

from collections.abc import Callable
from typing import Any

import pytest

import segments.commands as segments
from core.purposes import Purpose
from tests.content.factories import GOOD_HTML, TemplateFactory
from tests.workflows.factories import AttributeFactory, linear, mail, make_workflow, marketer, publish, rule
from workflows import steering
from workflows.language import checks, parsing
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
