"""Whatever comes in as a definition: refused with words a person can act on, at once, and nothing half done."""

import json
import random
import time
from typing import Any

import pytest
from django.test import Client

from tests.accounts.factories import api_token
from tests.workflows.factories import end, graph, linear, mail, wait
from workflows.errors import BadDefinition
from workflows.language import checks, parsing
from workflows.language import graph as shapes
from workflows.language.definition import Definition, to_json
from workflows.models import Workflow

Json = dict[str, Any]


def nested(levels: int) -> Any:
    found: Any = []
    for _ in range(levels):
        found = [found]
    return found


def chain(length: int) -> Json:
    return {str(n): {"kind": "wait", "span": {"days": 1}, "exits": {"next": str(n + 1)}} for n in range(length)}


BAD: dict[str, Any] = {
    "nothing": None,
    "a list": [],
    "a text": "{}",
    "another version": {"version": 2},
    "a version that is no number": {"version": True},
    "an unknown part": {"colour": "red"},
    "steps in a list": {"steps": []},
    "steps that are none": {"steps": {"a": 5}},
    "a step without kind": {"steps": {"a": {}}},
    "a step of no kind there is": {"steps": {"a": {"kind": "teleport"}}},
    "a kind that is no text": {"steps": {"a": {"kind": ["wait"]}}},
    "a step with an unknown part": {"steps": {"a": {"kind": "end", "then": "b"}}},
    "an empty id": {"steps": {"": {"kind": "end"}}},
    "an id too long": {"steps": {"a" * 41: {"kind": "end"}}},
    "an id with a space": {"steps": {"a b": {"kind": "end"}}},
    "an id with a line end": {"steps": {"a\n": {"kind": "end"}}},
    "an id that is no text": {"steps": {1: {"kind": "end"}}},
    "a way out to a number": {"steps": {"a": {"kind": "wait", "exits": {"next": 5}}}},
    "ways out in a list": {"steps": {"a": {"kind": "wait", "exits": ["b"]}}},
    "a length that is a text": {"steps": {"a": {"kind": "wait", "span": {"days": "1"}}}},
    "half a day": {"steps": {"a": {"kind": "wait", "span": {"days": 0.5}}}},
    "a length of years": {"steps": {"a": {"kind": "wait", "span": {"years": 1}}}},
    "no id of a template": {"steps": {"a": {"kind": "mail", "template": "welcome"}}},
    "a stream there is not": {"steps": {"a": {"kind": "mail", "stream": "side door"}}},
    "values that are objects": {"trigger": {"kind": "attribute", "attribute": "x", "becomes": [{}]}},
    "a trigger of no kind": {"trigger": {"kind": "moon"}},
    "a trigger without what it needs": {"trigger": {"kind": "segment"}},
    "a rule for entering again there is not": {"reentry": {"kind": "always"}},
    "an exit of no kind": {"exits": [{"kind": "bored"}]},
    "a case there is not": {"steps": {"a": {"kind": "branch_mail", "cases": ["read"]}}},
    "not a number": {"steps": {"a": {"kind": "split", "shares": [{"percent": float("nan")}]}}},
    "infinity": {"steps": {"a": {"kind": "split", "shares": [{"percent": float("inf")}]}}},
    "a huge number": {"steps": {"a": {"kind": "split", "seed": 10**30}}},
    "half a character": {"steps": {"a": {"kind": "end", "name": "\ud800"}}},
    "a zero byte": {"steps": {"a": {"kind": "tell", "text": "a\x00b"}}},
    "a name too long": {"steps": {"a": {"kind": "end", "name": "x" * 121}}},
    "a text too long": {"steps": {"a": {"kind": "tell", "text": "x" * 2_001}}},
    "bytes": {"only": b"x"},
    "a set": {"only": {1, 2}},
    "too deep": {"only": nested(5_000)},
    "far too deep": {"steps": {"a": {"kind": "goal", "rule": nested(100_000)}}},
    "too much": {"only": list(range(500_000))},
    "too much text": {"only": "x" * 9_000_000},
    "ten thousand steps": graph("0", chain(10_000)),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_read_is_refused_in_words_and_fast(what: str) -> None:
    began = time.process_time()
    with pytest.raises(BadDefinition) as refused:
        parsing.parse(BAD[what])
    assert time.process_time() - began < 1
    text = str(refused.value)
    assert text.endswith(".")
    assert "Traceback" not in text
    assert len(text) < 400
    assert refused.value.status == 400


def test_every_step_that_cannot_be_read_is_named() -> None:
    steps = {"good": {"kind": "end"}, "bad": {"kind": "nap"}, "worse": {"kind": "wait", "span": {"days": []}}}
    with pytest.raises(BadDefinition) as refused:
        parsing.parse({"steps": steps, "reentry": {"days": "x"}})
    said = {(problem.step, problem.field) for problem in refused.value.problems}
    assert said == {("", "reentry.days"), ("bad", "kind"), ("worse", "span.days")}
    assert [part["step"] for part in refused.value.fields["definition"]] == ["", "bad", "worse"]


def test_what_was_read_is_written_the_same() -> None:
    definition = parsing.parse({"start": "a", "steps": {"a": {"kind": "wait", "span": {"hours": 2}}}})
    assert parsing.parse(json.loads(json.dumps(to_json(definition)))) == definition


@pytest.mark.django_db
def test_the_largest_graphs_are_checked_at_once() -> None:
    """Two hundred steps, each a way to every next: the graph is looked at without recursion and without blowing up."""
    everything = {str(n): {"kind": "end"} for n in range(199)}
    steps: dict[str, Json] = {}
    for n in range(199):
        onward = {str(way): str((n * 7 + way * 13) % 199) for way in range(1, 21)}
        shares = [{"percent": 5}] * 20
        steps[str(n)] = {"kind": "split", "shares": shares, "exits": onward}
    assert set(steps) == set(everything)
    began = time.process_time()
    found = checks.check(parsing.parse(graph("0", steps)))
    assert time.process_time() - began < 1
    assert any(problem.field == "exits" for problem in found)
    assert checks.check(parsing.parse(graph("0", chain(199)))) != []  # the last leads nowhere there is
    assert checks.check(parsing.parse(graph("0", {**chain(199), "199": {"kind": "end"}}))) == []


def test_ten_thousand_steps_go_through_the_graph_without_recursion() -> None:
    """Should the limit ever be raised: no function of the graph stands on the stack."""
    steps = {str(n): parsing.msgspec.convert(step, parsing.AnyStep) for n, step in chain(10_000).items()}
    definition = Definition(start="0", steps=steps)
    assert shapes.order(definition) == [str(n) for n in range(10_000)]
    assert len(shapes.reachable(definition)) == 10_000
    assert shapes.loops_without_wait(definition) == []


@pytest.mark.django_db
def test_hostile_bodies_leave_nothing_behind(client: Client) -> None:
    _, headers = api_token(["workflows.view", "workflows.edit", "workflows.run"])

    def ask(method: str, path: str, body: str | bytes) -> int:
        answer = getattr(client, method)(f"/api/v1/workflows{path}", body, "application/json", headers=headers)
        said = answer.json()["error"]
        assert said["message"]
        return int(answer.status_code)

    for body in (
        "[]",
        "null",
        '{"name": ""}',
        '{"name": 5, "definition": {"steps": 1}}',
        '{"name": "x", "definition": []}',
        '{"name": "x", "definition": ' + "[" * 90 + "]" * 90 + "}",
        '{"name": "x", "definition": ' + "[" * 5_000 + "]" * 5_000 + "}",
        json.dumps({"name": "x", "definition": graph("0", chain(10_000))}),
        '{"name": "x", "definition": {"steps": {"a": {"kind": "split", "shares": [{"percent": 1e999}]}}}}',
        '{"name": "x", "definition": {"start": "\\ud800"}}',
        '{"name": "x", "definition": {"start": NaN}}',
        '{"name": "x", "definition": {"steps": {"a": {"kind": "end"}, "a": {"kind": "wait"}}}}',
        '{"name": "x", "definition": {"start": "a", "start": "b"}}',
        '{"name": "x", "definition": {"steps": {"a": {"kind": "split", "seed": ' + "9" * 300 + "}}}}",
        '{"name": "x", "definition": ' + '{"only": ' * 50_000,
        b'{"name": "x", "definition": {"start": "\xff\xfe"}}',
        "",
        "{",
    ):
        assert ask("post", "", body) == 400, body[:80]
    assert not Workflow.objects.exists()
    kept = client.post("/api/v1/workflows", '{"name": "x"}', "application/json", headers=headers).json()
    for body in (
        '{"definition": 5}',
        '{"definition": {"steps": {"a": {"kind": "nap"}}}}',
        '{"revision": "x", "definition": {}}',
        '{"revision": 1e999, "definition": {}}',
        '{"revision": 1, "revision": 2, "definition": {}}',
        "{}",
    ):
        assert ask("put", f"/{kept['id']}/definition", body) == 400
    assert ask("post", f"/{kept['id']}/publish", '{"plan": 5}') == 400
    workflow = Workflow.objects.get()
    assert (workflow.draft_revision, workflow.versions.count()) == (1, 0)


ATOMS = [None, True, 0, -1, 2**40, 0.5, "", "a", "b", "10:00", "next", "wait", [], {}, ["a"], {"a": "b"}, {"days": 1}]


def mangled(random_: random.Random, value: Any) -> Any:
    """The same with one part somewhere replaced, doubled or taken away."""
    if isinstance(value, dict) and value and random_.random() < 0.9:
        name = random_.choice(list(value))
        found = {**value, name: mangled(random_, value[name])}
        if random_.random() < 0.1:
            del found[name]
        return found
    if isinstance(value, list) and value and random_.random() < 0.9:
        place = random_.randrange(len(value))
        return [*value[:place], mangled(random_, value[place]), *value[place + 1 :]]
    return random_.choice(ATOMS)


@pytest.mark.django_db
def test_a_mangled_definition_is_refused_or_checked_but_never_breaks_anything() -> None:
    steps = [
        mail(),
        wait(days=1),
        {"kind": "wait_until", "moment": {"attribute": "birth_date", "at": "10:00", "days": -3}},
        {"kind": "wait_weekday", "weekdays": [0, 1], "at": "10:00"},
        {"kind": "wait_event", "event": "booked", "timeout": {"days": 2}},
        {"kind": "set_attribute", "attribute": "city", "value": "Boston"},
        {"kind": "webhook", "attributes": ["city"]},
        {"kind": "tell", "role": "marketer", "text": "Call"},
        {
            "kind": "branch",
            "cases": [{"rule": {"version": 2, "root": {"all": [{"attribute": "state", "op": "is", "value": "MA"}]}}}],
        },
        {"kind": "branch_mail", "mail": "s1", "cases": ["sent"]},
        {"kind": "split", "shares": [{"percent": 50}, {"percent": 50}]},
        end(),
    ]
    trigger = {"kind": "date", "moment": {"attribute": "birth_date", "at": "10:00"}, "yearly": True}
    whole = linear(*steps, trigger=trigger, reentry={"kind": "per_key"}, exits=[{"kind": "goal", "rule": None}])
    random_ = random.Random(4)
    read = 0
    for _ in range(400):
        broken = mangled(random_, whole)
        try:
            definition = parsing.parse(broken)
        except BadDefinition:
            continue
        read += 1
        if read % 4 == 0:
            checks.check(definition)
    assert read > 50
