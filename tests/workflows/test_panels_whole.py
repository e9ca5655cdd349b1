"""Everything a definition can say stands in a panel: it can be changed there, and survives being looked at.

Definitions are drawn by chance from all that the schema allows, sensible or not.
"""

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.test import Client
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from lxml import html

from accounts.policy import Role
from contacts.models import Kind
from content.models import Template
from segments.models import Segment
from tests.accounts.factories import UserFactory, sign_in
from tests.campaigns.factories import CampaignFactory
from tests.segments.factories import attribute
from tests.workflows.factories import SegmentFactory, TopicFactory, make_draft, rule
from tests.workflows.factories import mail as mail_step
from tests.workflows.test_panels import event
from workflows.forms.rules import RulesForm
from workflows.forms.steps import PanelForm, _sent, change
from workflows.forms.trigger import TriggerForm
from workflows.language import definition as d
from workflows.language.schema import json_schema
from workflows.models import Workflow
from workflows.offers import Offers
from workflows.views.panels import FORMS

pytestmark = pytest.mark.django_db

STATE = rule({"attribute": "state", "op": "is", "value": "MA"})
#: What the forms of steps leave to the map, to the builder of rules, or to nobody.
ELSEWHERE = {"kind", "exits", "rule"}
VALUES: dict[str, list[d.Value]] = {
    "text": ["one", "two words", "a line\nand another", None],
    "number": [7.0, 8.5, 0.1 + 0.2, -3.0, None],
    "boolean": [True, False, None],
    "choice": ["gold", "blue", None],
    "date": ["2026-12-01", "2024-02-29", None],
    "datetime": ["2026-12-01T10:00:00Z", "2026-12-01T10:00:30Z", None],
    "coded": ["E11.9", "Z00", None],
}
PROPERTIES: dict[str, list[d.Value]] = {
    "place": ["", "north", "two\nlines", "Ünïcode"],
    "count": [1.0, 2.5],
    "express": [True, False],
    "day": ["2026-12-01", "2026-12-02"],
    "moment": ["2026-12-01T10:00:00Z"],
}
JUNK: list[d.Value] = ["", " spaced  out ", "gone", "yes", 5.0, True, None, "x\r\ny", "\n", "⏎", 1e300]


@dataclass
class Chance:
    """Draws parts of definitions. `wild`: also what no check lets pass."""

    dice: random.Random
    ids: dict[str, list[UUID]]
    wild: bool = False
    step_ids: list[str] = field(default_factory=list)

    def one(self, *of: Any) -> Any:
        return self.dice.choice(of)

    def some(self, of: list[Any], least: int = 0) -> tuple[Any, ...]:
        found = self.dice.sample(of, self.dice.randint(least, len(of)))
        if self.wild and self.dice.random() < 0.3:
            found += self.dice.choices([*of, *JUNK], k=2)
        return tuple(found if self.wild else [one for one in of if one in found])

    def id(self, what: str) -> UUID:
        return self.one(*self.ids[what], uuid4()) if self.wild else self.one(*self.ids[what])

    def perhaps(self, what: str) -> UUID | None:
        return self.one(None, self.id(what))

    def name(self) -> str:
        return self.one("", "A name", "x" * 120) if not self.wild else self.one("", " odd  ", "a\nb", "é" * 120)

    def attribute(self) -> str:
        return self.one(*VALUES, "removed_one", "no such") if self.wild else self.one(*VALUES)

    def span(self) -> d.Span:
        parts = {
            unit: self.dice.randint(1, 40) for unit in self.some(list(d.Span.__struct_fields__), 1) if unit in UNITS
        }
        return d.Span(**parts)

    def moment(self, *, properties: bool) -> d.Moment:
        by_event = properties and self.one(True, False)
        named = {"property": self.one("day", "moment")} if by_event else {"attribute": self.one("date", "datetime")}
        away = {"days": self.dice.randint(-40, 40), "minutes": self.one(0, 0, self.dice.randint(-3000, 3000))}
        at = self.one("", "10:00", "00:00", "23:59")
        if self.wild and self.dice.random() < 0.2:
            named = {"property": "gone", "attribute": "removed_one"}
        return d.Moment(**named, **away, at=at)

    def change(self) -> dict[str, Any]:
        key = self.attribute()
        kind = VALUES.get(key, VALUES["text"])
        return {"attribute": key, "was": self.some(kind), "becomes": self.some(kind)}

    def where(self) -> tuple[d.PropertyIs, ...]:
        asked = [d.PropertyIs(name, self.some(held, 1)) for name, held in PROPERTIES.items() if self.one(True, False)]
        if self.wild and self.dice.random() < 0.5:
            asked += [d.PropertyIs("undeclared", self.some(JUNK)), *asked[:1]]
        return tuple(asked)

    def trigger(self, kind: type[d.Trigger]) -> d.AnyTrigger:  # noqa: PLR0911  one case a kind
        if kind is d.BySegment:
            return d.BySegment(self.id("segment"), self.one("enters", "leaves"))
        if kind is d.ByAttribute:
            return d.ByAttribute(**self.change())
        if kind is d.ByDate:
            return d.ByDate(self.moment(properties=False), self.one(True, False), self.one("skip", "enter"))
        if kind is d.ByEvent:
            return (
                d.ByEvent(self.one("order", "Order", "none") if self.wild else "order", self.where())
                if self.wild or self.one(True, False)
                else d.ByEvent("booking")
            )
        if kind is d.ByConsent:
            return d.ByConsent(self.id("topic"), self.one("given", "withdrawn"))
        if kind is d.ByEngagement:
            return d.ByEngagement(self.one("opened", "clicked"), self.perhaps("mailing"))
        if kind is d.BySent:
            return d.BySent(self.id("mailing"))
        return d.ByHand(self.one("identity", "phi", "special"))

    def reentry(self) -> d.Reentry:
        kind = self.one("never", "after_leaving", "after_days", "per_key")
        days = self.dice.randint(1, 99) if kind == "after_days" or self.wild else 0
        return d.Reentry(kind, days)

    def exits(self) -> tuple[d.AnyExit, ...]:
        found: list[d.AnyExit] = [d.SegmentLeft(self.id("segment")), d.EventExit("order", self.one(True, False))]
        found += [d.GoalExit(self.one(None, STATE), self.name()), d.Unsubscribed(), d.EventExit("booking")]
        if self.wild:
            found += [d.Unsubscribed(), d.EventExit("Booking"), d.EventExit("")]
        return tuple(self.dice.sample(found, self.dice.randint(0, len(found))))

    def step(self, kind: type[d.Step]) -> d.AnyStep:
        node = kind(**self.parts(kind))
        exits = {way: self.one(None, *self.step_ids) for way in d.ways_out(node) if self.one(True, False)}
        if self.wild and self.dice.random() < 0.2:
            exits["nowhere"] = None
        return change(node, name=self.name(), exits=exits)

    def parts(self, kind: type[d.Step]) -> dict[str, Any]:
        """All that a kind has, each drawn by chance."""
        cases = [d.Case(self.one(None, STATE), self.name()) for _ in range(self.dice.randint(1, 4))]
        shares = [d.Share(self.one(50.0, 100 / 3, 12.5), self.name()) for _ in range(3)]
        by_event = self.one(True, False)
        waits = {"event": self.one("order", "booking")} if by_event else self.change()
        keyed = {"same_key": self.one(True, False)} if by_event or self.wild else {}
        setting = self.one("text", "number", "boolean", "choice", "date", "datetime")
        value = self.one(*VALUES[setting][:-1])
        sets = self.one({"value": value}, {"property": "place"}, {})
        whom = self.one({"user": self.id("user")}, {"role": "approver"})
        happened = ["clicked", "opened", "sent", "refused", "failed"]
        asked = self.dice.sample(happened, self.dice.randint(1, 5))
        mail = {name: self.perhaps(name) for name in ("sender", "topic")}
        mail |= {name: self.one(True, False) for name in ("track_opens", "track_clicks")}
        called = tuple(self.dice.choices([*VALUES, "gone"], k=4)) if self.wild else self.one((), ("text",))
        if self.wild:
            sets = {"value": self.one(*JUNK, value), "property": self.one("", "gone")}
            setting, whom = self.attribute(), {"user": self.perhaps("user"), "role": self.one("", "approver", "x")}
            waits = {"event": self.one("", "Order"), **self.change()}
        return {
            d.Mail: {**mail, "template": self.id("template"), "stream": self.one("marketing", "transactional")},
            d.Wait: {"span": self.span()},
            d.WaitUntil: {"moment": self.moment(properties=True)},
            d.WaitWeekday: {
                "weekdays": tuple(self.dice.sample(range(7), 3)) if self.wild else self.one((), (0, 4), (6,)),
                "at": self.one("10:00", "07:30"),
            },
            d.WaitEvent: {**waits, **keyed, "since": self.one("entered", "here"), "timeout": self.span()},
            d.Branch: {"cases": tuple(cases)},
            d.BranchMail: {
                "mail": self.one(*self.mails, *(["x"] if self.wild else [])),
                "cases": tuple(asked if self.wild else sorted(asked, key=happened.index)),
            },
            d.Split: {"shares": tuple(shares), "seed": self.dice.randint(-(2**31), 2**31)},
            d.SetAttribute: {"attribute": setting, **sets},
            d.ChangeList: {"segment": self.perhaps("list"), "change": self.one("add", "remove")},
            d.Webhook: {"attributes": called},
            d.Tell: {
                **whom,
                "text": self.one("Call them.", "One line\n\nand another", *(["  \n x"] if self.wild else [])),
            },
            d.Enter: {"workflow": self.perhaps("workflow")},
            d.Goal: {"rule": self.one(None, STATE)},
            d.End: {},
        }[kind]

    @property
    def mails(self) -> list[str]:
        return ["mail-0", "mail-1"]


UNITS = d.Span.__struct_fields__
TRIGGERS: list[type[d.Trigger]] = list(d.AnyTrigger.__args__)
STEPS: list[type[d.Step]] = list(d.AnyStep.__args__)


def tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


@pytest.fixture
def world() -> dict[str, list[UUID]]:
    """Something of everything that a definition can name."""
    for kind in Kind.values:
        attribute(kind, Kind(kind), "gold", "blue")
    event("order", place="text", count="number", express="yes_no", day="date", moment="datetime")
    event("booking")
    for _ in range(2):
        mail_step()
    return {
        "segment": [SegmentFactory().pk, SegmentFactory().pk],
        "list": [SegmentFactory(kind=Segment.Kind.SNAPSHOT).pk],
        "topic": [TopicFactory().pk, TopicFactory().pk],
        "mailing": [CampaignFactory(state="FINISHED").pk],
        "template": [template.pk for template in Template.objects.all()],
        "sender": [UUID(mail_step()["sender"])],
        "user": [UserFactory().pk, UserFactory(roles=[Role.APPROVER]).pk],
        "workflow": [make_draft(name="Another").pk],
    }


def drawn(chance: Chance, trigger: type[d.Trigger]) -> d.Definition:
    """One step of each kind, and all around them."""
    kinds = [d.Mail, *STEPS]
    chance.step_ids = [f"{tag(kind)}-{n}" for n, kind in enumerate(kinds)]
    return d.Definition(
        trigger=chance.trigger(trigger),
        only=chance.one(None, STATE),
        reentry=chance.reentry(),
        exits=chance.exits(),
        start=chance.step_ids[0],
        steps={step: chance.step(kind) for step, kind in zip(chance.step_ids, kinds, strict=True)},
    )


def sent(page: bytes) -> dict[str, list[str]]:
    """What a browser sends of the panel's form when nobody has touched it."""
    (form,) = html.fromstring(page.decode()).xpath("//form[@id='panel-form']")
    found: dict[str, list[str]] = {}
    for name, held in form.form_values():
        control, value = form.inputs[name], held
        if isinstance(control, html.TextareaElement):
            value = held.removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")
        elif isinstance(control, html.InputElement):
            value = held.replace("\n", "").replace("\r", "")
        found.setdefault(name, []).append(value)
    return found


def test_what_came_by_the_api_survives_every_panel_being_opened_and_kept(world: Any) -> None:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    chance = Chance(random.Random(3), world, wild=True)
    for n, trigger in enumerate(TRIGGERS):
        definition = drawn(chance, trigger)
        workflow = make_draft(d.to_json(definition))
        pages: list[tuple[str, list[str]]] = [("trigger_panel", []), ("rules_panel", [])]
        if n % 4 == 0:
            pages += [("step_panel", [step]) for step in definition.steps]
        for name, args in pages:
            url = reverse(f"workflows:{name}", args=[workflow.pk, *args])
            assert client.post(url, sent(client.get(url).content)).status_code == 200
            workflow.refresh_from_db()
            assert workflow.draft == d.to_json(definition), (name, args)
        assert workflow.draft_revision == 1


def test_what_came_by_the_api_survives_its_rules_being_looked_at(world: Any) -> None:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    definition = d.Definition(only=STATE, steps={"goal": d.Goal(rule=STATE)}, start="goal")
    workflow = make_draft(d.to_json(definition))
    for url in (
        reverse("workflows:only_rule", args=[workflow.pk]),
        reverse("workflows:step_rule", args=[workflow.pk, "goal", 1]),
    ):
        (form,) = html.fromstring(client.get(url).content.decode()).xpath("//form[@id='rule-form']")
        data: dict[str, list[str]] = {}
        for name, value in form.form_values():
            data.setdefault(name, []).append(value)
        assert client.post(url, {**data, "back": "1"}).status_code == 200
    workflow.refresh_from_db()
    assert workflow.draft == d.to_json(definition)


def read(form: PanelForm, other: PanelForm) -> Any:
    """What the first says, filled in as the other is drawn."""
    data = {name: found for name in other.fields if (found := _sent(other[name]))}
    bound = form.anew(MultiValueDict(data))
    assert bound.is_valid(), bound.errors
    assert not bound.waits, bound.waits
    return bound


def test_whatever_a_step_can_be_its_panel_can_make_of_another(world: Any) -> None:
    chance = Chance(random.Random(7), world)
    definition = change(drawn(chance, d.ByEvent), trigger=d.ByEvent("order"))
    offers = Offers(definition, uuid4())
    for kind in STEPS:
        seen: set[str] = set()
        for _ in range(25):
            was, wanted = chance.step(kind), chance.step(kind)
            was = change(was, **left_alone(was, wanted))
            form, other = (FORMS[kind](None, step=step, offers=offers) for step in (was, wanted))
            made = read(form, other).made()
            if isinstance(wanted, d.Mail):  # with another template comes what usually goes with it
                made = read(FORMS[kind](None, step=made, offers=offers), other).made()
            assert made == wanted
            seen |= {name for name in kind.__struct_fields__ if getattr(was, name) != getattr(wanted, name)}
        assert kind in (d.Branch, d.Webhook) or seen >= said_of(kind)


def left_alone(was: d.AnyStep, wanted: d.AnyStep) -> dict[str, Any]:
    """What stands elsewhere than in the panel, or says nothing of what is waited for."""
    found: dict[str, Any] = {"exits": wanted.exits}
    match wanted:
        case d.Branch():
            found["cases"] = tuple(change(case, name="") for case in wanted.cases)
        case d.Goal():
            found["rule"] = wanted.rule
        case d.WaitEvent() if wanted.attribute:
            found["same_key"] = wanted.same_key
    return found


def said_of(kind: type[msgspec.Struct]) -> set[str]:
    """Everything the schema says of a kind that stands in its panel."""
    return set(json_schema()["$defs"][kind.__name__]["properties"]) - ELSEWHERE


def test_whatever_lets_people_in_its_panel_can_make_of_another(world: Any) -> None:
    chance = Chance(random.Random(7), world)
    for kind in TRIGGERS:
        seen: set[str] = set()
        for _ in range(30):
            was, wanted = chance.trigger(chance.one(kind, kind, *TRIGGERS)), chance.trigger(kind)
            offers = Offers(d.Definition(trigger=was), uuid4())
            form, other = (TriggerForm(None, trigger=trigger, offers=offers) for trigger in (was, wanted))
            made = read(form, other).made()
            if isinstance(made, d.ByEvent):
                asked = sorted(made.where, key=lambda one: list(PROPERTIES).index(one.property))
                made = change(made, where=tuple(asked))
            assert made == wanted
            if type(was) is kind:
                seen |= {name for name in kind.__struct_fields__ if getattr(was, name) != getattr(wanted, name)}
        assert kind is d.BySent or seen >= said_of(kind)


def test_whatever_the_rules_can_be_the_panel_can_make_of_others_of_these_kinds(world: Any) -> None:
    chance = Chance(random.Random(7), world)
    for _ in range(30):
        wanted = d.Definition(trigger=d.ByEvent("order"), reentry=chance.reentry(), exits=chance.exits())
        offers = Offers(wanted, uuid4())
        plain = [
            d.EventExit("booking", False) if isinstance(way, d.EventExit)
            else d.SegmentLeft(world["segment"][0]) if isinstance(way, d.SegmentLeft)
            else change(way, name="") if isinstance(way, d.GoalExit) else way
            for way in wanted.exits
        ]  # fmt: skip
        was = change(wanted, reentry=chance.reentry(), exits=tuple(plain))
        form = RulesForm(None, definition=was, offers=offers)
        made = read(form, RulesForm(None, definition=wanted, offers=offers)).over(was)
        assert made == wanted


def test_exits_are_put_in_order_taken_out_and_back(world: Any) -> None:
    client = Client()
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    exits = [{"kind": "event", "event": "order"}, {"kind": "unsubscribed"}, {"kind": "goal", "rule": STATE}]
    workflow = make_draft(d.to_json(d.Definition()) | {"exits": exits})
    url = reverse("workflows:rules_panel", args=[workflow.pk])

    def do(what: str) -> list[str]:
        client.post(url, {**sent(client.get(url).content), "do": what})
        draft = Workflow.objects.get(pk=workflow.pk).draft
        return [way["kind"] for way in draft["exits"]]

    assert do("up:2") == ["event", "goal", "unsubscribed"]
    assert do("up:u") == ["event", "unsubscribed", "goal"]
    assert do("up:u") == ["unsubscribed", "event", "goal"]
    assert do("down:1") == ["unsubscribed", "goal", "event"]
    assert do("down:2") == ["unsubscribed", "goal", "event"]
    assert do("remove:1") == ["unsubscribed", "event"]
