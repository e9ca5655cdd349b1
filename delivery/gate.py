"""The gate: may this message leave now, for this person, by this way? Pure: data in, decision and reasons out.

Two axes are asked, never one (PRV-01, CAN-01): the HIPAA purpose and the CAN-SPAM class. Whatever is not known
refuses. Production, forecast, dry run and the property tests all call `decide`.
"""

import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from consent.state import ConsentFacts
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity

#: Changes with the rules below; stands in every recorded decision.
VERSION = 1
#: A message that a frequency cap would hold longer than this is refused instead of deferred.
LONGEST_WAIT = timedelta(hours=24)
_RANK = {tier.value: tier.rank for tier in Sensitivity}
_IDENTITY, _PHI = _RANK[Sensitivity.IDENTITY], _RANK[Sensitivity.PHI]

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[^@\s\x00-\x20\x7f<>,;:\\\"()\[\]]{1,253}\Z")


class Verdict(StrEnum):
    ALLOW = "allow"
    DEFER = "defer"
    REFUSE = "refuse"


class Reason(StrEnum):
    """Why a message does not leave (or not yet). delivery.reasons says each in words."""

    CONTACT_DELETED = "contact_deleted"
    RECORD_BROKEN = "record_broken"
    ADDRESS_MISSING = "address_missing"
    ADDRESS_INVALID = "address_invalid"
    ADDRESS_NOT_ASCII = "address_not_ascii"
    SUPPRESSED = "suppressed"
    FACTS_UNKNOWN = "facts_unknown"
    OPTED_OUT = "opted_out"
    OPTED_OUT_ALL = "opted_out_all"
    NO_OPT_IN = "no_opt_in"
    TOPIC_MISSING = "topic_missing"
    NO_AUTHORIZATION = "no_authorization"
    AUTHORIZATION_DEFECTIVE = "authorization_defective"
    AUTHORIZATION_EXPIRED = "authorization_expired"
    AUTHORIZATION_PURPOSE = "authorization_purpose"
    AUTHORIZATION_REMUNERATION = "authorization_remuneration"
    NO_SPECIAL_CONSENT = "no_special_consent"
    ADDRESS_UNCONFIRMED = "address_unconfirmed"
    ADDRESS_SHARED = "address_shared"
    NO_RELAY = "no_relay"
    NO_AGREEMENT = "no_agreement"
    ONWARD_TLS_NOT_ENFORCED = "onward_tls_not_enforced"
    NOT_APPROVED = "not_approved"
    NO_POSTAL_ADDRESS = "no_postal_address"
    SENDER_UNVERIFIED = "sender_unverified"
    FREQUENCY_CAP = "frequency_cap"
    QUIET_HOURS = "quiet_hours"
    # Found after the gate, while the message is made.
    MISSING_VALUE = "missing_value"
    WRONG_RECIPIENT = "wrong_recipient"
    RENDER_FAILED = "render_failed"


class Agreed(Protocol):
    """Anybody values may go to under an agreement: a relay, the endpoint of a webhook."""

    @property
    def baa_party(self) -> str: ...
    @property
    def baa_signed_on(self) -> date | None: ...
    @property
    def baa_expires_on(self) -> date | None: ...


class RelayFacts(msgspec.Struct, frozen=True):
    """The way out and the agreement under which it may be used (SEC-09, DLV-04)."""

    id: UUID
    baa_party: str = ""
    baa_signed_on: date | None = None
    baa_expires_on: date | None = None
    enforces_tls_onward: bool = False

    def agreement_in_force(self, day: date) -> bool:
        return agreement_in_force(self, day)


def agreement_in_force(other: Agreed, day: date) -> bool:
    """Whether there is a business associate agreement with somebody that day (SEC-09)."""
    if not other.baa_party or other.baa_signed_on is None or other.baa_signed_on > day:
        return False
    return other.baa_expires_on is None or day <= other.baa_expires_on


class MessageFacts(msgspec.Struct, frozen=True):
    """What all recipients of one origin share."""

    purpose: str
    message_class: str
    tier: str
    version_id: UUID
    content_digest: bytes
    approved_digest: bytes | None
    relay: RelayFacts | None
    #: The topic's id where it is live; None: the message has none (or one that was removed).
    topic_id: UUID | None = None
    topic_requires_opt_in: bool = True
    remunerated: bool = False
    has_postal_address: bool = False
    #: The sender is live and its address belongs to a verified domain (CAN-03).
    sender_verified: bool = False


class RecipientFacts(msgspec.Struct, frozen=True):
    """What is known of one person. `address` is PHI: in memory only."""

    contact_id: UUID
    exists: bool = True
    #: The sealed record did not open: altered, or its key is gone.
    broken: bool = False
    address: str = ""
    #: None: could not be read, so nothing leaves.
    consent: ConsentFacts | None = None
    #: "" not suppressed, else the reason; None: could not be read.
    suppressed: str | None = None
    #: Two or more contacts have this address (PRV-24); None: could not be read.
    shared_address: bool | None = None
    #: An IANA name; "" or unknown: the organization's.
    time_zone: str = ""
    #: When commercial messages went to this person within the cap's days; None: could not be read.
    recent: tuple[datetime, ...] | None = ()


class Policy(msgspec.Struct, frozen=True):
    """The organization's own limits. Hours are local hours of the recipient, 0-23."""

    time_zone: str = "UTC"
    quiet_from_hour: int | None = None
    quiet_until_hour: int | None = None
    cap_messages: int | None = None
    cap_days: int = 7


class Decision(NamedTuple):
    """The answer, every reason for it, until when to wait, and the ids of what it rests on."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    basis: dict[str, str] = {}
    until: datetime | None = None

    def as_row(self) -> dict[str, object]:
        """The form Delivery.decision keeps."""
        return {"policy": VERSION, "verdict": self.verdict, "reasons": list(self.reasons), "basis": self.basis}


def decide(message: MessageFacts, recipient: RecipientFacts, policy: Policy, now: datetime) -> Decision:
    """Say whether this message may leave now, and why not if not. Pure: no I/O, no clock, no settings."""
    basis: dict[str, str] = {"version": str(message.version_id)}
    if message.topic_id:
        basis["topic"] = str(message.topic_id)
    if not recipient.exists:
        return Decision(Verdict.REFUSE, (Reason.CONTACT_DELETED,), basis)
    if recipient.broken:
        return Decision(Verdict.REFUSE, (Reason.RECORD_BROKEN,), basis)
    reasons = [
        *_message_reasons(message, basis, now),
        *_address_reasons(message, recipient, basis),
        *_consent_reasons(message, recipient.consent, basis),
        *_authorization_reasons(message, recipient.consent, basis, now),
    ]
    capped_until = _capped_until(message, recipient, policy, now)
    if capped_until is not None and capped_until - now > LONGEST_WAIT:
        reasons.append(Reason.FREQUENCY_CAP)
    if reasons:
        return Decision(Verdict.REFUSE, tuple(dict.fromkeys(reasons)), basis)
    quiet_until = _quiet_until(message, recipient, policy, max(now, capped_until or now))
    waits = [(capped_until, Reason.FREQUENCY_CAP), (quiet_until, Reason.QUIET_HOURS)]
    held = [(until, reason) for until, reason in waits if until is not None]
    if held:
        return Decision(Verdict.DEFER, tuple(r for _, r in held), basis, max(until for until, _ in held))
    return Decision(Verdict.ALLOW, (), basis)


def _message_reasons(message: MessageFacts, basis: dict[str, str], now: datetime) -> list[Reason]:
    """What is wrong with the message itself, whoever it goes to."""
    reasons: list[Reason] = []
    rank = _RANK[message.tier]
    if message.approved_digest is None or message.approved_digest != message.content_digest:
        reasons.append(Reason.NOT_APPROVED)
    if not message.sender_verified:
        reasons.append(Reason.SENDER_UNVERIFIED)
    if message.message_class == MessageClass.COMMERCIAL and not message.has_postal_address:
        reasons.append(Reason.NO_POSTAL_ADDRESS)
    if _needs_topic(message) and message.topic_id is None:
        reasons.append(Reason.TOPIC_MISSING)
    if message.relay is None:
        return [*reasons, Reason.NO_RELAY]
    basis["relay"] = str(message.relay.id)
    # That somebody is a patient here is identity: all but public content needs the agreement (SEC-09).
    if rank >= _IDENTITY and not message.relay.agreement_in_force(now.date()):
        reasons.append(Reason.NO_AGREEMENT)
    if rank >= _PHI and not message.relay.enforces_tls_onward:
        reasons.append(Reason.ONWARD_TLS_NOT_ENFORCED)
    return reasons


def _address_reasons(message: MessageFacts, recipient: RecipientFacts, basis: dict[str, str]) -> list[Reason]:
    reasons: list[Reason] = []
    if (problem := address_problem(recipient.address)) is not None:
        reasons.append(problem)
    if recipient.suppressed is None:
        reasons.append(Reason.FACTS_UNKNOWN)
    elif recipient.suppressed:
        reasons.append(Reason.SUPPRESSED)
    if _RANK[message.tier] >= _PHI:  # PRV-24
        confirmed = recipient.consent.address_confirmed if recipient.consent else None
        if confirmed is None:
            reasons.append(Reason.ADDRESS_UNCONFIRMED)
        else:
            basis["address_confirmed"] = str(confirmed)
        if recipient.shared_address is None:
            reasons.append(Reason.FACTS_UNKNOWN)
        elif recipient.shared_address:
            reasons.append(Reason.ADDRESS_SHARED)
    return reasons


def address_problem(address: str) -> Reason | None:
    """What keeps this text from being an address we can write to; None if nothing does."""
    address = address.strip()
    if not address:
        return Reason.ADDRESS_MISSING
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return Reason.ADDRESS_NOT_ASCII
    if not _ADDRESS.match(address) or ".." in address or local.startswith(".") or local.endswith("."):
        return Reason.ADDRESS_INVALID
    return None if _is_domain(domain) else Reason.ADDRESS_INVALID


@lru_cache(maxsize=4096)
def _is_domain(domain: str) -> bool:
    try:
        labels = domain.encode("idna").decode().split(".")
    except UnicodeError:
        return False
    return len(labels) > 1 and all(re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)", label) for label in labels)


def _needs_topic(message: MessageFacts) -> bool:
    """Mail that people must be able to stop by topic: all commercial and marketing mail, and fundraising (PRV-15)."""
    return message.message_class == MessageClass.COMMERCIAL or message.purpose in (
        Purpose.MARKETING,
        Purpose.FUNDRAISING,
    )


def _consent_reasons(message: MessageFacts, consent: ConsentFacts | None, basis: dict[str, str]) -> list[Reason]:
    if consent is None:
        return [Reason.FACTS_UNKNOWN]
    reasons: list[Reason] = []
    sells = message.purpose in (Purpose.MARKETING, Purpose.FUNDRAISING)
    # A receipt or a statement still reaches who opted out of marketing (CAN-16), but never sells anything.
    if message.message_class != MessageClass.TRANSACTIONAL or sells:
        if consent.opted_out_all:
            reasons.append(Reason.OPTED_OUT_ALL)
        if consent.opted_out:
            reasons.append(Reason.OPTED_OUT)
    commercial = message.message_class == MessageClass.COMMERCIAL or message.purpose == Purpose.MARKETING
    if commercial and message.purpose != Purpose.FUNDRAISING and message.topic_requires_opt_in:
        if consent.opted_in is None:
            reasons.append(Reason.NO_OPT_IN)
        else:
            basis["opt_in"] = str(consent.opted_in)
    if message.tier == Sensitivity.SPECIAL:
        if consent.special_consent is None:
            reasons.append(Reason.NO_SPECIAL_CONSENT)
        else:
            basis["special_consent"] = str(consent.special_consent)
    return reasons


def _authorization_reasons(
    message: MessageFacts, consent: ConsentFacts | None, basis: dict[str, str], now: datetime
) -> list[Reason]:
    """45 CFR 164.508(a)(3): marketing with PHI, and whatever a third party pays for, needs an authorization."""
    phi_marketing = message.purpose == Purpose.MARKETING and _RANK[message.tier] >= _PHI
    if not (phi_marketing or message.remunerated):
        return []
    if consent is None or consent.authorization is None:
        return [Reason.NO_AUTHORIZATION]
    given = consent.authorization
    reasons: list[Reason] = []
    if not given.complete:
        reasons.append(Reason.AUTHORIZATION_DEFECTIVE)
    if given.expires_at is not None and given.expires_at <= now:
        reasons.append(Reason.AUTHORIZATION_EXPIRED)
    if Purpose.MARKETING not in given.purposes:
        reasons.append(Reason.AUTHORIZATION_PURPOSE)
    if message.remunerated and not given.states_remuneration:
        reasons.append(Reason.AUTHORIZATION_REMUNERATION)
    if not reasons:
        basis["authorization"] = str(given.id)
    return reasons


def _capped_until(message: MessageFacts, recipient: RecipientFacts, policy: Policy, now: datetime) -> datetime | None:
    if policy.cap_messages is None or message.message_class != MessageClass.COMMERCIAL:
        return None
    span = timedelta(days=policy.cap_days)
    if recipient.recent is None or policy.cap_messages == 0:
        return now + span + LONGEST_WAIT
    counted = sorted(at for at in recipient.recent if at > now - span)
    return counted[-policy.cap_messages] + span if len(counted) >= policy.cap_messages else None


def _quiet_until(message: MessageFacts, recipient: RecipientFacts, policy: Policy, at: datetime) -> datetime | None:
    """When the recipient's quiet hours that hold at `at` end, in UTC; None outside of them."""
    start, end = policy.quiet_from_hour, policy.quiet_until_hour
    if start is None or end is None or start == end or message.message_class == MessageClass.TRANSACTIONAL:
        return None
    local = at.astimezone(_zone(recipient.time_zone) or _zone(policy.time_zone) or ZoneInfo("UTC"))
    quiet = start <= local.hour < end if start < end else (local.hour >= start or local.hour < end)
    if not quiet:
        return None
    ends = local.replace(hour=end, minute=0, second=0, microsecond=0)
    if ends <= local:
        ends = (ends.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=local.tzinfo)
    return ends.astimezone(UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
