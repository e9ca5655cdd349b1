"""Work on who is due: claim, decide, act, round by round until everybody stays, and write it in one transaction.

A worker that is killed has done nothing; a second one takes whom the first has not. What woke somebody is not asked:
each step answers from what is so now.
"""

import logging
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from core import clock
from workflows import effects, troubles
from workflows.effects import Act
from workflows.engine import claims, facts, mails, plans, writing
from workflows.engine.apart import EVERYBODYS, apart
from workflows.engine.known import Known
from workflows.engine.travel import Traveller
from workflows.language.definition import ChangeList, Mail, SetAttribute
from workflows.step import Effect, Left, decide, leaves

log = logging.getLogger(__name__)

#: Steps somebody passes in one claim; who is not at rest then goes on in the next.
ROUNDS = 100


def run(*, seconds: float, now: datetime | None = None) -> int:
    """Work on what is due for at most about `seconds`, journeys in turn; how many people were looked at."""
    end, looked_at = time.monotonic() + seconds, 0
    resting: set[UUID] = set()
    while True:
        at = now or clock.now()
        due = [version_id for version_id in claims.due(at) if version_id not in resting]
        if not due:
            return looked_at
        random.shuffle(due)  # where time does not suffice for all, none is always last
        for version_id in due:
            try:
                found = _in_parts(version_id, at, settings.WORKFLOWS_CLAIM)
            except Exception as failure:  # nothing came of it, and the other journeys go on
                log.error("a journey waits for a later run: version %s, %s", version_id, type(failure).__name__)
                found = 0
            if not found:  # whoever is due is held by another worker, or the journey was paused
                resting.add(version_id)
            looked_at += found
            if time.monotonic() >= end:
                return looked_at


#: Into so many parts a claim is cut that cannot be carried out.
PARTS = 10


def _in_parts(version_id: UUID, now: datetime, most: int) -> int:
    """One claim; where it cannot be carried out as a whole, smaller ones, until it is known whose failure it is."""
    try:
        return work(version_id, now, most)
    except EVERYBODYS:
        raise
    except Exception as failure:
        log.error("a claim could not be carried out: version %s, %s", version_id, type(failure).__name__)
        if most == 1:
            return _set_aside(version_id, now, troubles.own(failure))
    return sum(_in_parts(version_id, now, max(1, most // PARTS)) for _ in range(PARTS))


@transaction.atomic
def work(version_id: UUID, now: datetime, most: int) -> int:
    """One claim on one version: all that comes of it, or nothing. How many people were claimed."""
    if not claims.hold(version_id):
        return 0
    plan = plans.running(version_id)
    plan.refresh()
    if plan.trouble:  # everybody stays where they are, until it is put right
        return 0
    rows = claims.claim(version_id, now, most)
    if rows:
        Claim(version_id, rows, now).carry_out()
    return len(rows)


@transaction.atomic
def _set_aside(version_id: UUID, now: datetime, code: str) -> int:
    """Whoever is due first has failed as they stand, and does not hold up the others."""
    travellers = [Traveller(row) for row in claims.claim(version_id, now, 1)]
    for traveller in travellers:
        traveller.fail(code, now)
    writing.write(version_id, travellers, now)
    return len(travellers)


class Decided(NamedTuple):
    """What comes of one person at one step."""

    traveller: Traveller
    effect: Effect
    made: UUID | None


class Claim:
    """The people of one claim, taken through the steps together."""

    def __init__(self, version_id: UUID, rows: Sequence[claims.Row], now: datetime) -> None:
        self.version_id = version_id
        self.plan = plans.running(version_id)
        self.definition = self.plan.definition
        self.now = now
        self.known = Known(now)
        self.travellers = [Traveller(row) for row in rows]

    def carry_out(self) -> None:
        self._see_off([t for t in self.travellers if t.stuck])
        moving = [t for t in self.travellers if not t.stuck and not t.left]
        for _ in range(ROUNDS):
            groups: dict[str, list[Traveller]] = defaultdict(list)
            for traveller in moving:
                groups[traveller.step_id].append(traveller)
            moving = [t for step_id, group in groups.items() for t in self._at_step(step_id, group)]
            if not moving:
                break
        # In this order: the door locks batches before origins.
        mails.take_back([awaited for t in self.travellers if (awaited := _awaited(t))])
        self._hand_over([t for t in self.travellers if t.hands_over])
        writing.write(self.version_id, self.travellers, self.now)

    def _see_off(self, stuck: Sequence[Traveller]) -> None:
        """Who needs attention leaves when others would; else, and where that cannot be known, they stay as they are."""
        for traveller in stuck:
            traveller.rest()
        for traveller, why in apart(stuck, self._leaving)[0] if stuck else ():
            traveller.take(self.definition, Effect(left=why), self.now, None)

    def _leaving(self, group: Sequence[Traveller]) -> list[tuple[Traveller, Left]]:
        told = facts.on_leaving(self.plan, group, self.known)
        return [(t, why) for t in group if (why := leaves(self.definition, told[t.id])) is not None]

    def _at_step(self, step_id: str, group: Sequence[Traveller]) -> list[Traveller]:
        """Decide and act for all who are at a step; who came to another one by it."""
        if step_id not in self.definition.steps:
            for traveller in group:
                traveller.needs_attention("step_gone")
            return []
        decided, failed = apart(group, partial(self._decided, step_id))
        for traveller, code in failed:
            traveller.fail(code, self.now)
        for traveller, effect, _ in decided:
            traveller.hands_over = effect.act and isinstance(self.definition.steps[step_id], Mail)
        return [t for t, effect, made in decided if t.take(self.definition, effect, self.now, made)]

    def _decided(self, step_id: str, group: Sequence[Traveller]) -> list[Decided]:
        """Nobody is moved here: what fails leaves them where they are."""
        node = self.definition.steps[step_id]
        just = self._just_made(getattr(node, "mail", ""), group)
        told = facts.facts_for(self.plan, step_id, group, self.now, known=self.known, just_made=just)
        chosen = [(t, decide(self.definition, t.place, told[t.id], self.now)) for t in group]
        acting = [(t, effect) for t, effect in chosen if effect.act]
        if not acting:
            return [Decided(t, effect, None) for t, effect in chosen]
        if isinstance(node, Mail):
            return [Decided(t, *self._mail(t, step_id, effect)) for t, effect in chosen]
        done = effects.apply([Act(t, step_id, node, effect) for t, effect in acting], self.now)
        if isinstance(node, SetAttribute | ChangeList):
            self.known.forget(t for t, _ in acting)
        return [
            Decided(t, Effect(trouble=done.trouble[t.id]) if t.id in done.trouble else effect, done.made.get(t.id))
            for t, effect in chosen
        ]

    def _mail(self, traveller: Traveller, step_id: str, effect: Effect) -> tuple[Effect, UUID | None]:
        if not effect.act:
            return effect, None
        if step_id not in self.plan.origins:
            return Effect(trouble="mail_missing"), None
        return effect, self._letter(traveller).delivery_id

    def _letter(self, traveller: Traveller) -> mails.Letter:
        visit = mails.visit_of(traveller.row.sequence, traveller.visit)
        return mails.Letter(self.plan.origins[traveller.step_id], traveller.contact_id, visit)

    def _just_made(self, mail_step: str, group: Sequence[Traveller]) -> dict[int, UUID | None]:
        """What was made at that step by those who passed it in this claim: the latest time."""
        if not mail_step:
            return {}
        return {t.id: made for t in group for passed, made in t.passed if passed.step == mail_step}

    def _hand_over(self, handing: Sequence[Traveller]) -> None:
        """Last of all: a person stays at a mail, and its origin is locked for as short as can be."""
        groups: dict[UUID, list[Traveller]] = defaultdict(list)
        for traveller in handing:
            groups[self.plan.origins[traveller.step_id]].append(traveller)
        for _, group in sorted(groups.items()):
            for traveller, code in apart(group, self._handed_over)[1]:
                traveller.unsent(code, self.now)

    def _handed_over(self, group: Sequence[Traveller]) -> list[Traveller]:
        mails.hand_over([self._letter(t) for t in group], self.now)
        return list(group)


def _awaited(traveller: Traveller) -> mails.Awaited | None:
    """What somebody who left was waiting for, if they waited for something."""
    if not traveller.left or not traveller.passed:
        return None
    passed, made = traveller.passed[-1]
    if passed.way or made is None:
        return None
    visit = mails.visit_of(traveller.row.sequence, passed.visit)
    return mails.Awaited(traveller.workflow_id, traveller.contact_id, visit, made)
