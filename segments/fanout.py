"""One evaluation by many workers at once, where there are more people than one should go through (docs/adr/0075).

The asker cuts the partitions into parts and works on them itself, from the last one on; workers take what they get
to. Whoever works on a part holds its row locked, so a part whose worker dies is free again at once, and with no worker
at all the asker does everything. Each person is in one part, and is looked at once: what changes meanwhile is seen
or not, as it would be by one process going through all partitions.
"""

import logging
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from pyroaring import BitMap

from core import clock
from core.jobs import enqueue
from phi import seal
from phi.errors import SealBroken
from segments import bitmaps, evaluate, people, wire
from segments import catalog as catalogs
from segments.catalog import Catalog
from segments.columns import Int
from segments.context import Context
from segments.facts.lookup import context_for
from segments.frames import AnyRule, as_rule, kinds_of
from segments.models import Evaluation, EvaluationPart
from segments.tree import Group, Node, Rule

log = logging.getLogger(__name__)

#: Partitions of one part: about a million people.
PART = 16
#: Seconds between two looks whether others are done.
PAUSE = 0.02
#: A worker that holds a part for so many seconds after all else is done is taken for lost.
HUNG = 15.0
#: Evaluations as old as this have no asker any more.
ABANDONED = timedelta(minutes=10)

#: Everybody there is, and then whom each node matches.
Crowds = list[BitMap]


def is_shared() -> bool:
    """Whether there are so many people that others are asked to help.

    Inside a transaction nobody else would see the parts: there it is always done alone.
    """
    return not connection.in_atomic_block and len(people.partitions()) > settings.SEGMENTS_FAN_OUT


def crowds(rule: Rule, nodes: Sequence[Node], at: datetime, catalog: Catalog | None = None) -> Crowds:
    """Everybody there is, and whom each of these nodes of the rule matches; by others, too, where that is worth it."""
    job = _Job(rule, list(nodes), at, catalog)
    if not is_shared():
        return job.alone()
    evaluation = _begin(job, people.partitions())
    try:
        found = [*_own(evaluation, job), *_of_others(evaluation, job)]
    finally:
        _forget([evaluation.pk])
    return [BitMap.union(*some) for some in zip(*found, strict=True)]


def members(rule: AnyRule, at: datetime, catalog: Catalog | None = None) -> BitMap:
    """The contact numbers of everybody the rule matches as of `at`. Raises RuleError."""
    catalog = catalog or catalogs.load()
    rule = as_rule(rule, catalog)
    return crowds(rule, [rule.root], at, catalog)[1]


def _bitmap(numbers: Int) -> BitMap:
    return BitMap(array("I", np.asarray(numbers, dtype=np.uint32).tobytes()))


def answer(part_id: UUID) -> None:
    """Do one part for whoever asked, unless somebody does or has."""
    with suppress(_NothingLeft), _held(EvaluationPart.objects.filter(pk=part_id)) as part:
        found = _Job.of(part.evaluation).answer(part)
        part.count = len(found[0])
        part.members = bitmaps.sealed(found, key=_key(part), aad=_aad(part))
        part.save(update_fields=["count", "members"])


@dataclass
class _Job:
    """What is asked of each part; what is known beside people's values is looked up once."""

    rule: Rule
    nodes: list[Node]
    at: datetime
    catalog: Catalog | None = None
    context: Context | None = None

    @classmethod
    def of(cls, evaluation: Evaluation) -> "_Job":
        root = wire.unpacked(evaluation.rule["root"])
        assert isinstance(root, Group)
        return cls(Rule(root), [wire.unpacked(raw) for raw in evaluation.rule["nodes"]], evaluation.at)

    def alone(self, only: range | None = None) -> Crowds:
        """The answer of this process, for all partitions or only for some."""
        # Not cached_property: in Python 3.11 its lock is one for all jobs, and threads would wait for each other.
        self.catalog = self.catalog or catalogs.load()
        self.context = self.context or context_for(self.rule, self.at)
        found = [BitMap() for _ in range(len(self.nodes) + 1)]
        for frame in people.frames_of(kinds_of(self.rule, self.catalog), only=only):
            masks = [frame.present, *evaluate.masks(self.nodes, frame, self.context)]
            for crowd, mask in zip(found, masks, strict=True):
                crowd |= _bitmap(frame.numbers[mask])  # noqa: PLW2901  in place
        return found

    def answer(self, part: EvaluationPart) -> Crowds:
        return self.alone(range(part.first, part.last + 1))


def _begin(job: _Job, partitions: range) -> Evaluation:
    packed = {"root": wire.packed(job.rule.root), "nodes": [wire.packed(node) for node in job.nodes]}
    with transaction.atomic():
        evaluation = Evaluation.objects.create(rule=packed, at=job.at)
        parts = []
        for first in range(partitions.start, partitions.stop, PART):
            last = min(first + PART, partitions.stop) - 1
            kek_id, data_key = seal.new_data_key()[1]
            parts.append(
                EvaluationPart(evaluation=evaluation, first=first, last=last, kek_id=kek_id, data_key=data_key)
            )
        EvaluationPart.objects.bulk_create(parts)
    try:
        for part in parts:
            enqueue("segments.evaluate_part", part.pk)
    except Exception:  # without a broker the asker does them all
        log.exception("the parts of evaluation %s were not handed out", evaluation.pk)
    return evaluation


class _NothingLeft(Exception):
    """Each part is done or in work."""


@contextmanager
def _held(parts: "QuerySet[EvaluationPart]") -> Iterator[EvaluationPart]:
    """The first of these that nobody has done or works on, ours until the block ends. Raises _NothingLeft."""
    with transaction.atomic():
        free = parts.filter(members=None).select_for_update(of=("self",), skip_locked=True)
        part = free.select_related("evaluation").first()
        if part is None:
            raise _NothingLeft
        yield part


def _own(evaluation: Evaluation, job: _Job) -> Iterator[Crowds]:
    """What the asker does itself: until each part is done, whatever nobody works on."""
    parts = EvaluationPart.objects.filter(evaluation=evaluation).order_by("-first")
    since = time.monotonic()
    while True:
        try:
            with _held(parts) as part:
                found = job.answer(part)
                part.delete()
            yield found
            since = time.monotonic()
        except _NothingLeft:
            waited_for = list(parts.filter(members=None))
            if not waited_for:
                return
            if time.monotonic() - since > HUNG:
                log.warning("evaluation %s does not wait any longer for others", evaluation.pk)
                yield from map(job.answer, waited_for)
                return
            time.sleep(PAUSE)


def _of_others(evaluation: Evaluation, job: _Job) -> Iterator[Crowds]:
    """What others did; a part that does not open is done again."""
    for part in EvaluationPart.objects.filter(evaluation=evaluation, members__isnull=False):
        try:
            yield bitmaps.opened(bytes(part.members or b""), key=_key(part), aad=_aad(part))
        except SealBroken:
            yield job.answer(part)


def _key(part: EvaluationPart) -> bytes:
    return seal.unwrap(seal.WrappedKey(part.kek_id, bytes(part.data_key or b"")))


def _aad(part: EvaluationPart) -> bytes:
    place = part.first.to_bytes(8, "big") + part.last.to_bytes(8, "big")
    return seal.aad("segments_evaluationpart", part.pk.bytes + part.evaluation_id.bytes + place)


def _forget(ids: Iterable[UUID]) -> None:
    """Take evaluations away, but for parts a worker holds: those go with the next sweep."""
    parts = EvaluationPart.objects.filter(evaluation__in=list(ids)).select_for_update(skip_locked=True)
    with transaction.atomic():
        EvaluationPart.objects.filter(pk__in=list(parts.values_list("pk", flat=True))).delete()
        Evaluation.objects.filter(pk__in=list(ids), parts=None).delete()


def forget_abandoned() -> None:
    """Take away evaluations whose asker is gone."""
    _forget(Evaluation.objects.filter(created_at__lt=clock.now() - ABANDONED).values_list("pk", flat=True))
