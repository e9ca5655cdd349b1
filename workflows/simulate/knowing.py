"""What the pure step is told about a simulated person: facts as they are at that virtual moment."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from segments.calendar import zone_called
from segments.dates import TIME_ZONE
from workflows.language import fits
from workflows.language.definition import (
    Branch,
    BranchMail,
    ByAttribute,
    ByConsent,
    ChangeList,
    Definition,
    EventExit,
    Goal,
    SegmentLeft,
    SetAttribute,
    Unsubscribed,
    WaitEvent,
    WaitUntil,
)
from workflows.simulate.assumptions import Settings
from workflows.simulate.history import Occurred
from workflows.simulate.rules import Asked, Changed
from workflows.simulate.walkers import Walker
from workflows.simulate.world import World
from workflows.step import Facts


class Knowing:
    """People on their way, what the journey did to them, and what is known of them."""

    def __init__(self, definition: Definition, world: World, settings: Settings) -> None:
        self.definition, self.world, self.settings = definition, world, settings
        self.walkers: defaultdict[int, list[Walker]] = defaultdict(list)
        self.changed: dict[int, Changed] = {}
        steps = [step for course in world.courses for step in course.steps.values()]
        rules = [rule for course in world.courses for rule in course.rules]
        rules += [other.only for other in world.others.open.values() if other.only]
        trigger, mailed = definition.trigger, any(course.mails for course in world.courses)
        attributes = {step.attribute for step in steps if isinstance(step, SetAttribute)}
        attributes |= {trigger.attribute} if isinstance(trigger, ByAttribute) else set()
        lists = {step.segment for step in steps if isinstance(step, ChangeList) and step.segment}
        self.moves_zones = TIME_ZONE in attributes
        speaks = settings.assumptions.unsubscribes > 0 or isinstance(trigger, ByConsent)
        #: Rules whose answer the journey itself can change.
        self.moving = {r for r in rules if r.moves(attributes, lists, mailed=mailed, speaks=speaks)}

    def facts(self, w: Walker, now: datetime) -> dict[str, Any]:  # noqa: PLR0911  one case a kind
        """What the step they are at asks, by the names of Facts; mails are asked about elsewhere."""
        step, course = str(w.place.step), w.course
        if step not in course.asking:
            return {}
        match node := course.steps[step]:
            case Branch() | Goal():
                return {"cases": tuple([self.holds(rule, w.row, now) for rule in course.cases[step]])}
            case BranchMail():
                about = w.letters.get(node.mail)
                return {"mail": about.fate(now)} if about else {}
            case WaitUntil():
                key = node.moment.attribute
                return {"values": {key: self.value(w.row, key)} if key else {}, "properties": w.properties}
            case WaitEvent():
                return {"happened": self._awaited(w, node, now)}
            case SetAttribute():
                return {"properties": w.properties}
        return {"call": w.call}

    def told(self, w: Walker, exits: tuple[bool, ...], **more: Any) -> Facts:
        zone = self.zone(w.row) if self.moves_zones else self.world.people.zones[w.row]
        return Facts(zone, exits=exits, **more)

    def zone(self, row: int) -> ZoneInfo:
        changed = self.changed.get(row)
        if changed is not None and TIME_ZONE in changed.values:
            name = changed.values[TIME_ZONE]
            return (zone_called(name) if isinstance(name, str) else None) or self.world.people.zone
        return self.world.people.zones[row]

    def leaves(self, w: Walker, now: datetime) -> tuple[bool, ...]:
        """For each exit whether it holds."""
        found = []
        for way, rule in w.course.exits:
            match way:
                case Unsubscribed():
                    found.append(self.is_out(w, now))
                case EventExit():
                    found.append(self._happened(w, way.event, now, same_key=way.same_key))
                case _:
                    assert rule is not None
                    found.append(self.holds(rule, w.row, now) != isinstance(way, SegmentLeft))
        return tuple(found)

    def is_out(self, w: Walker, now: datetime) -> bool:
        """Whether they are out of everything, or of a topic of the mails, as was said last."""
        row, unsubscribed = w.row, w.course.unsubscribed
        if (changed := self.changed.get(row)) is None:
            return row in unsubscribed
        words = {changed.said(topic, now) for topic in (*changed.out, *changed.into)}
        return "out" in words or ("in" not in words and row in unsubscribed)

    def holds(self, rule: Asked, row: int, now: datetime) -> bool:
        return self.world.rules.holds(rule, row, now, self.changed.get(row) if rule in self.moving else None)

    def value(self, row: int, key: str) -> Any:
        changed = self.changed.get(row)
        return changed.values[key] if changed is not None and key in changed.values else self.world.values[key][row]

    def _awaited(self, w: Walker, node: WaitEvent, now: datetime) -> bool:
        here = node.since == "here"
        if node.event:
            return self._happened(w, node.event, now, here=here, same_key=node.same_key)
        return self._happened(w, f"attribute:{node.attribute}", now, here=here, node=node)

    def _happened(
        self,
        w: Walker,
        what: str,
        now: datetime,
        *,
        here: bool = False,
        same_key: bool = False,
        node: WaitEvent | None = None,
    ) -> bool:
        """As engine.happened has it: since then, for the same key where that is asked, but for what let them in."""
        since = w.place.since if here else w.place.entered_at
        for one in (*w.occurs, *self.world.history.occurred.get(w.row, ())):
            if one.what != what or one.at > now or (one.id and one.id == w.entered_by):
                continue
            # What happened at the moment of arrival brought them here.
            if not (one.at > since or (not here and (one.at == since or _after(one, w)))):
                continue
            if same_key and w.course.keyed and w.key is not None and one.key != w.key:
                continue
            if node is None or not one.said or fits.change(node.was, node.becomes, one.said):
                return True
        return False


def _after(one: Occurred, w: Walker) -> bool:
    """Whether it was told after the event that let them in, whatever moment its sender gives it."""
    return bool(not one.what.startswith("attribute:") and w.entered_by and one.id > w.entered_by)
