"""Whatever a move does at once besides mail is foretold, too: staff that are told, calls, lists and values."""

import pytest

from core.actors import SYSTEM
from segments.commands import start_list
from tests.workflows.factories import end, graph, linear, make_people, make_workflow, place, wait
from tests.workflows.test_moving import draw, move
from workflows.models import Call, Endpoint, Notice
from workflows.versions import fates, telling

pytestmark = pytest.mark.django_db


def test_staff_who_are_told_lists_and_calls_are_foretold_and_come() -> None:
    workflow = make_workflow(linear(wait(days=30), end()))
    place(workflow, make_people(3), step="s1")
    kept_by_hand = start_list(name="Called", by=SYSTEM)
    office = Endpoint.objects.create(name="Office", url="https://hooks.example/x", secret="s")
    new = graph(
        "s1",
        {
            "s1": {"kind": "tell", "role": "marketer", "text": "Call.", "name": "Call them", "exits": {"next": "s2"}},
            "s2": {"kind": "list", "segment": str(kept_by_hand.pk), "change": "add", "exits": {"next": "s3"}},
            "s3": {"kind": "webhook", "endpoint": str(office.pk), "exits": {"next": None}},
        },
    )
    draw(workflow, new)
    done = move(workflow, {"s1": "s1"})
    assert done.forecast == done.happened
    [fate] = fates.from_json(done.forecast)
    assert fate.acts == {"s1": 3, "s2": 3, "s3": 3}
    assert fate.ends == {"s3": 3}
    assert (Notice.objects.count(), Call.objects.count()) == (3, 3)
    said = [end.text for end in telling.told(done).rows[0].ends]
    assert "come by “Call them”: staff are told of them" in said
