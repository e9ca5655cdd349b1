"""The engine: lease a batch, then window by window lock, read, decide, make, hand over, append, commit.

One window is one transaction. From the last read of consent to the commit of the outcomes its people are held
(contacts.locks), so a withdrawal that has committed is never overtaken. What a killed worker had handed over but not
committed is at most one window, and goes out again under the same Message-ID; nobody is lost.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction

from contacts import locks
from content.errors import MissingValue, TemplateBroken
from core import clock
from delivery import bounces, caps, facts, leases, origins, outcomes, troubles
from delivery.gate import Decision, Reason, Verdict, decide
from delivery.ids import delivery_id
from delivery.messages import Made, Maker, signed
from delivery.mime import UnsafeAddress, WrongRecipient, envelope_address
from delivery.models import Delivery, Origin, Relay, Retry, SendBatch
from delivery.outcomes import Outcomes, PutOff, Row
from delivery.transports import smtp
from delivery.transports.wire import Envelope, Fate, RelayConfig, RelayTrouble, Result
from phi.errors import KeyUnavailable

log = logging.getLogger(__name__)

#: Minutes until the next attempt after the 1st, 2nd … answer of 4xx; after the last the message has failed (22 h).
RETRY_MINUTES = (1, 5, 15, 60, 180, 360, 720)
#: Seconds kept between the last envelope begun and the end of the lease.
MARGIN = 5.0
#: The smallest window while a relay is slow.
FEW = 10


@dataclass(slots=True)
class Window:
    """What a window came to."""

    #: The batch must be put down: its origin is held, the lease is lost, or the relay is in trouble.
    stop: bool = False
    due_at: datetime | None = None
    #: Whom time did not suffice for, in their order: nothing was handed over.
    left: list[UUID] = field(default_factory=list)
    trouble: RelayTrouble | None = None
    relay: Relay | None = None
    bounced: list[str] = field(default_factory=list)


def drain(stream: str, *, seconds: float) -> bool:
    """Send what is due in a stream for at most about `seconds`; True if there may be more."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lease = leases.claim(stream)
        if lease is not None:
            drain_batch(lease, end)
        # In turn: however many fresh batches there are, who was put off comes back when it was said.
        if not drain_retries(stream) and lease is None:
            return False
    return True


def drain_batch(lease: leases.Lease, end: float) -> None:
    """Send one leased batch, as far as time, origin and relay allow."""
    due_at: datetime | None = None
    waiting = lease.open_ids()
    size = settings.DELIVERY_WINDOW
    while waiting:
        ids, waiting = waiting[:size], waiting[size:]
        window = _batch_window(lease, ids)
        _afterwards(window)
        if window.stop or time.monotonic() >= end:
            due_at = window.due_at
            break
        waiting = [*window.left, *waiting]
        # What a slow relay does not take in time was made for nothing: ask for about what it takes.
        size = min(settings.DELIVERY_WINDOW, max(FEW, 2 * (len(ids) - len(window.left))))
    with transaction.atomic():
        if leases.finish(lease):
            origins.settle(lease.origin_id)
        else:
            leases.release(lease, due_at=due_at)


@transaction.atomic
def _batch_window(lease: leases.Lease, ids: Sequence[UUID]) -> Window:
    if not leases.renew(lease):
        return Window(stop=True)
    return _window(lease.origin_id, lease.batch_id, lease.visit, dict.fromkeys(ids, 0), Outcomes())


def drain_retries(stream: str) -> bool:
    """Try one window of those who were put off and are due; whether there were any."""
    now = clock.now()
    with transaction.atomic():
        due = Retry.objects.filter(due_at__lte=now, batch__stream=stream, batch__origin__state=Origin.State.OPEN)
        first = due.order_by("due_at").select_for_update(of=("self",), skip_locked=True).first()
        if first is None:
            return False
        batch = SendBatch.objects.get(pk=first.batch_id)
        rows = due.filter(batch=batch).order_by("due_at").select_for_update(of=("self",), skip_locked=True)
        waiting = {row.contact_id: row.attempts for row in rows[: settings.DELIVERY_WINDOW]}
        window = _window(batch.origin_id, batch.pk, batch.visit, waiting, Outcomes(were_waiting=True))
        left = [delivery_id(batch.origin_id, contact_id, batch.visit) for contact_id in waiting]
        if window.stop:  # nothing to hold against them: same number of attempts, a little later
            later = window.due_at or now + timedelta(seconds=troubles.BACKOFF[0])
            Retry.objects.filter(pk__among=left, due_at__lte=now).update(due_at=later)
        origins.settle(batch.origin_id)
    _afterwards(window)
    return True


def _afterwards(window: Window) -> None:
    """What follows a window once it is committed: suppress bounced addresses, note or clear the relay's trouble."""
    bounces.suppress(window.bounced)
    if window.relay is None:
        return
    if window.trouble is not None:
        # A moment after the relay is tried again: whoever waits for it without a part in its trouble goes first.
        window.due_at = troubles.note(window.relay.pk, window.trouble) + timedelta(seconds=1)
        log.warning("relay %s: %s (%s)", window.relay.pk, window.trouble.code, window.trouble.detail)
    elif window.relay.trouble and not window.stop:
        troubles.clear(window.relay.pk)


def _window(origin_id: UUID, batch_id: UUID, visit: str, waiting: dict[UUID, int], found: Outcomes) -> Window:
    """Decide, make, hand over and append for these people, inside the caller's transaction.

    `waiting`: how often each was put off before. Every fact is read here, under the people's locks (SND-06).
    """
    began = time.monotonic()
    caps.hold(origin_id, waiting)
    locks.hold_shared(waiting)
    # Read after the wait for them: meanwhile somebody may have paused it, or taken its sender out of use.
    origin = Origin.objects.select_related("template_version", "sender__domain").get(pk=origin_id)
    if origin.state != Origin.State.OPEN:
        return Window(stop=True)
    if visit:  # of single messages some may have been taken back since the batch was leased (delivery.withdrawals)
        settled = Delivery.objects.filter(origin_id=origin_id, visit=visit, contact_id__among=waiting)
        for contact_id in settled.values_list("contact_id", flat=True):
            del waiting[contact_id]
    now = clock.now()
    about = facts.of_origin(origin, now)
    if about.relay is None:
        return Window(stop=True, due_at=now + timedelta(seconds=troubles.BACKOFF[-1]))
    if about.relay.blocked_until and about.relay.blocked_until > now:
        return Window(stop=True, due_at=about.relay.blocked_until)
    ready = _prepare(origin, visit, waiting, about, now=now, found=found)
    envelopes = _envelopes(origin, ready)
    # Withdrawals of these people wait meanwhile, and so does a pause: who is not reached in time has the next window.
    lease_left = settings.DELIVERY_LEASE_SECONDS - MARGIN - (time.monotonic() - began)
    seconds = max(0.0, min(settings.DELIVERY_HANDOVER_SECONDS, lease_left))
    handover = smtp.deliver(config_of(about.relay), envelopes, seconds=seconds)
    bounced = _record(ready, handover.results, waiting, now, found)
    outcomes.settle(origin_id, batch_id, visit, found)
    sessions = list(found.sessions.values())
    transaction.on_commit(lambda: outcomes.saved(sessions))
    left = [item.contact_id for item, result in zip(ready, handover.results, strict=True) if result.fate == Fate.UNSENT]
    # Where nobody at all got through, every connection is somebody else's just now.
    stop = handover.trouble is not None or 0 < len(left) == len(ready)
    return Window(stop, now + timedelta(seconds=1) if stop else None, left, handover.trouble, about.relay, bounced)


@dataclass(frozen=True, slots=True)
class Ready:
    """A message the gate allowed, made and addressed."""

    contact_id: UUID
    address: str
    decision: Decision
    made: Made


def _envelopes(origin: Origin, ready: Sequence[Ready]) -> list[Envelope]:
    sender = envelope_address(origin.sender.address)
    return [
        Envelope(item.made.delivery_id, item.contact_id, sender, envelope_address(item.address), data)
        for item, data in zip(ready, signed([item.made for item in ready]), strict=True)
    ]


def _prepare(
    origin: Origin, visit: str, waiting: dict[UUID, int], about: facts.Message, *, now: datetime, found: Outcomes
) -> list[Ready]:
    """Ask the gate for each and make what it allows; refusals and deferrals go straight to `found`."""
    people = facts.people(list(waiting), about, now)
    maker = Maker(origin, about.topic_number)
    ready: list[Ready] = []
    for contact_id, attempts in waiting.items():
        number = delivery_id(origin.pk, contact_id, visit)
        person = people.get(contact_id)
        about_person = person.facts if person else facts.gone(contact_id)
        decision = decide(about.facts, about_person, about.policy, now)
        if decision.verdict == Verdict.DEFER and decision.until is not None:
            found.put_off.append(PutOff(number, contact_id, attempts, decision.until, decision.reasons[0]))
            continue
        if decision.verdict == Verdict.ALLOW and person is not None:
            made = _make(maker, person, visit, now)
            if isinstance(made, Made):
                ready.append(Ready(contact_id, person.facts.address, decision, made))
                continue
            decision = decision._replace(verdict=Verdict.REFUSE, reasons=(made,))
        found.rows.append(Row(number, contact_id, Delivery.Outcome.REFUSED, now, decision.as_row(), decision.reasons))
    return ready


def _make(maker: Maker, person: facts.Person, visit: str, now: datetime) -> Made | Reason:
    """The message, or why it cannot be made. What is wrong with one person's values stops nobody else's."""
    who = person.facts.contact_id
    values = {**person.record.values, **person.record.coded}
    counted = not (person.facts.consent and person.facts.consent.counting_refused)
    try:
        return maker.make(who, person.facts.address, values, key=person.key, visit=visit, at=now, counted=counted)
    except MissingValue:
        return Reason.MISSING_VALUE
    except TemplateBroken:
        return Reason.RENDER_FAILED
    except UnsafeAddress:
        return Reason.ADDRESS_INVALID
    except WrongRecipient:
        log.critical("content for another contact was stopped: origin %s", maker.origin.pk)
        return Reason.WRONG_RECIPIENT
    except (DatabaseError, KeyUnavailable, MemoryError):
        raise  # of this machine, not of this person: the window is tried again
    except Exception as exc:
        # Only the type: the text could quote the person. One message that nobody foresaw must not stop all behind it.
        log.error("a message could not be made: origin %s, %s", maker.origin.pk, type(exc).__name__)
        return Reason.RENDER_FAILED


def _record(
    ready: Sequence[Ready], results: Sequence[Result], waiting: dict[UUID, int], now: datetime, found: Outcomes
) -> list[str]:
    """Turn what the relay answered into rows; the addresses that do not exist. UNSENT leaves no trace: it waits."""
    bounced: list[str] = []
    for item, result in zip(ready, results, strict=True):
        if result.session is not None:
            found.sessions[result.session.id] = result.session
        attempts = waiting[item.contact_id] + 1
        match result.fate:
            case Fate.UNSENT:
                continue
            case Fate.DEFERRED if attempts <= len(RETRY_MINUTES):
                due_at = now + timedelta(minutes=RETRY_MINUTES[attempts - 1])
                reason = "relay_refused" if (result.code or 0) >= 500 else "greylisted"
                wait = PutOff(item.made.delivery_id, item.contact_id, attempts, due_at, reason)
                found.put_off.append(replace(wait, smtp_code=result.code, smtp_status=result.status))
            case _:
                found.rows.append(_outcome(item, result, now))
                if result.fate == Fate.REJECTED and result.status == "5.1.1":
                    bounced.append(item.address)
    return bounced


def _outcome(item: Ready, result: Result, now: datetime) -> Row:
    outcome, reasons = {
        Fate.SENT: (Delivery.Outcome.SENT, ()),
        Fate.UNKNOWN: (Delivery.Outcome.UNKNOWN, ("connection_lost",)),
        Fate.DEFERRED: (Delivery.Outcome.FAILED, ("rejected" if (result.code or 0) >= 500 else "retries_exhausted",)),
    }.get(result.fate, (Delivery.Outcome.FAILED, ("bounced" if result.status == "5.1.1" else "rejected",)))
    return Row(
        item.made.delivery_id,
        item.contact_id,
        outcome,
        now,
        item.decision.as_row(),
        reasons,
        method="relay_tls",
        session_id=result.session.id if result.session else None,
        smtp_code=result.code,
        smtp_status=result.status,
        content_sha256=item.made.digest,
        merge_values=item.made.sealed,
    )


def config_of(relay: Relay) -> RelayConfig:
    return RelayConfig(
        relay.pk,
        relay.host,
        relay.port,
        relay.security,
        relay.username,
        relay.password or "",
        relay.ca_certificate,
        relay.connections,
    )
