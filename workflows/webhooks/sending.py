"""Carry out calls: one endpoint at a time in one place, again with pauses where it does not answer, until all is told.

A call may arrive twice (we cannot know what a connection that broke had said): its id is the same, and the other system
drops what it has. Nothing of the answer is kept but its status.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

import contacts.queries
from audit.commands import record
from contacts.records import Record
from core import clock
from core.actors import SYSTEM
from delivery.gate import agreement_in_force
from phi.errors import SealBroken
from workflows.errors import BadAddress
from workflows.intake.reading import alone
from workflows.models import Call, Endpoint, Enrolment
from workflows.webhooks import address, signing
from workflows.webhooks.wire import NotTold, Wire

#: First half of the locks under which one worker talks to one endpoint.
SPACE = 0x3EB0
#: Calls that are read, and given up together where the endpoint itself is in trouble.
BATCH = 20
#: Until the next attempt; after the last one the call has failed for good.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360))
#: What another attempt would not change.
FINAL = frozenset(
    {
        "not_public",
        "address",
        "redirect",
        "refused",
        "no_agreement",
        "record_unreadable",
        "contact_gone",
        "endpoint_gone",
    }
)

WORDS = {
    "no_name": "The server's name is not known.",
    "not_public": "The server's name leads inside a network, where webhooks do not go." + address.NAMED,
    "address": "The address is not one that may be called.",
    "unreachable": "The server cannot be reached.",
    "certificate": "The server's certificate could not be verified, so nothing was said.",
    "tls": "No encrypted connection (TLS 1.2 or newer) could be made, so nothing was said.",
    "slow": "The server takes too long to answer.",
    "broken": "The server broke off or answered something that is not HTTP.",
    "redirect": "The server sends us elsewhere. Give the address it means.",
    "refused": "The server refuses what we say.",
    "busy": "The server has trouble or is busy for now.",
    "no_agreement": "Values go along, and no agreement with the endpoint's party is in force.",
    "record_unreadable": "What is known of the person cannot be opened: it was altered or damaged.",
    "contact_gone": "The person was deleted before it could be told.",
    "endpoint_gone": "The endpoint was removed.",
}

#: How others are reached.
WIRE = Wire()


def words(code: str) -> str:
    return WORDS.get(code, "The endpoint could not be told.")


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: "" told; otherwise a code of WORDS. `whole`: the endpoint's trouble, not this call's."""

    code: str = ""
    status: int | None = None
    whole: bool = False


def work(endpoint_id: UUID, *, seconds: float, wire: Wire | None = None) -> int:
    """Carry out what is due for an endpoint; how many calls were tried. Nobody else does at the same time."""
    until, tried, told = time.monotonic() + seconds, 0, 0
    with alone(SPACE << 32 | int.from_bytes(endpoint_id.bytes[-4:], "big")) as mine:
        while mine and time.monotonic() < until and (batch := _due(endpoint_id)):
            ends = _carried_out(endpoint_id, batch, wire or WIRE, until)
            tried += len(ends)
            told += sum(not end.code for end in ends)
            if any(end.whole for end in ends):
                break
    if tried:
        record("endpoint.called", by=SYSTEM, target=Endpoint(pk=endpoint_id), told=told, not_told=tried - told)
    return tried


def _due(endpoint_id: UUID) -> list[Call]:
    waiting = Call.objects.filter(endpoint=endpoint_id, state=Call.State.WAITING, due_at__lte=clock.now())
    return list(waiting.order_by("due_at", "pk")[:BATCH])


def _carried_out(endpoint_id: UUID, batch: Sequence[Call], wire: Wire, until: float) -> list[Ended]:
    endpoint = Endpoint.objects.get(pk=endpoint_id)
    people = _opened({call.contact_id for call in batch})
    journeys = dict(
        Enrolment.objects.filter(pk__in=[call.enrolment_id for call in batch]).values_list("pk", "workflow_id")
    )
    ends: list[Ended] = []
    for place, call in enumerate(batch):
        end = _refused(endpoint, call, people)
        if end is None:
            said = _said(call, journeys.get(call.enrolment_id), people[call.contact_id] or Record())
            end = tell(endpoint, str(call.pk), said, wire)
        if end.whole:  # the others of the batch would fare no better: they wait as well
            settle(batch[place:], end)
            return [*ends, *([end] * (len(batch) - place))]
        settle([call], end)
        ends.append(end)
        if time.monotonic() >= until:
            break
    return ends


def _opened(ids: set[UUID]) -> dict[UUID, Record | None]:
    """What is known of these people; None of whom the record does not open, which is their trouble alone."""
    try:
        return {**contacts.queries.open_many(ids)}
    except SealBroken:
        if len(ids) == 1:
            return dict.fromkeys(ids)
        return {pk: record for one in ids for pk, record in _opened({one}).items()}


def _refused(endpoint: Endpoint, call: Call, people: Mapping[UUID, Record | None]) -> Ended | None:
    """Why nothing may be said at all; None where it may."""
    if endpoint.removed_at is not None:
        return Ended("endpoint_gone")
    if call.contact_id not in people:
        return Ended("contact_gone")
    if call.attributes and people[call.contact_id] is None:
        return Ended("record_unreadable")
    if call.attributes and not agreement_in_force(endpoint, clock.now().date()):
        return Ended("no_agreement")
    return None


def _said(call: Call, workflow_id: UUID | None, known: Record) -> dict[str, Any]:
    """Opaque ids, and the values of the attributes that the step names."""
    values = {key: known.values.get(key, msgspec.to_builtins(known.coded.get(key))) for key in call.attributes}
    return {
        "type": "journey.step",
        "id": str(call.pk),
        "at": call.at.isoformat(),
        "workflow": str(workflow_id) if workflow_id else None,
        "step": call.step,
        "enrolment": call.enrolment_id,
        "contact": str(call.contact_id),
        "attributes": values,
    }


def tell(endpoint: Endpoint, call_id: str, said: dict[str, Any], wire: Wire | None = None) -> Ended:
    """Say one thing to an endpoint, signed."""
    body = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Carillon"}
    headers |= signing.headers(endpoint.secret, call_id, int(clock.now().timestamp()), body)
    try:
        status = (wire or WIRE).post(address.parse(endpoint.url), body, headers)
    except BadAddress:
        return Ended("address", whole=True)
    except NotTold as trouble:
        return Ended(trouble.code, whole=trouble.whole)
    if 200 <= status < 300:
        return Ended("", status)
    if 300 <= status < 400:
        return Ended("redirect", status, whole=True)
    busy = status >= 500 or status in (408, 425, 429)
    return Ended("busy" if busy else "refused", status, whole=status in (429, 503))


@transaction.atomic
def settle(calls: Sequence[Call], end: Ended) -> None:
    """Keep how it ended, and wake whoever waits for an end."""
    now, over = clock.now(), []
    for call in calls:
        call.attempts += 1
        call.trouble, call.status_code = end.code, end.status
        if not end.code:
            call.state, call.due_at = Call.State.DONE, None
        elif end.code in FINAL or call.attempts > len(BACKOFF):
            call.state, call.due_at = Call.State.FAILED, None
        else:
            call.due_at = now + BACKOFF[call.attempts - 1]
        if call.due_at is None:
            over.append(call.pk)
    Call.objects.bulk_update(calls, ["attempts", "trouble", "status_code", "state", "due_at"])
    if over:
        _wake(over, now)


def _wake(calls: list[UUID], now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workflows_enrolment SET wake_at = LEAST(wake_at, %s) WHERE id IN (SELECT id FROM"
            " workflows_enrolment WHERE awaits = ANY(%s) AND status = 'active' ORDER BY id FOR UPDATE)",
            [now, calls],
        )
