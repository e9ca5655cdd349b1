"""A mail to oneself: what a synthetic person would get, to the address of whoever asks (SND-07).

It goes through the same door as every other: gate, session, outcome row. Nobody's values are in it.
"""

import hashlib
from uuid import NAMESPACE_URL, uuid5

import msgspec
from django.db import transaction

from accounts.models import User
from audit.commands import record
from consent.state import NOTHING_SAID
from content.errors import MissingValue, TemplateBroken
from content.models import TemplateVersion
from content.personas import Persona
from content.rendering import MessageLinks, compiled
from core import clock
from core.ids import uuid7
from core.purposes import MessageClass, Purpose, Stream
from core.sensitivity import Sensitivity
from delivery import facts, outcomes
from delivery.engine import config_of
from delivery.errors import TrialRefused
from delivery.gate import RecipientFacts, Verdict, decide
from delivery.ids import delivery_id
from delivery.messages import sender_facts, signer_of
from delivery.mime import Addressee, Body, build, envelope_address
from delivery.models import Delivery, Origin, SendBatch, Sender
from delivery.reasons import words
from delivery.transports import smtp
from delivery.transports.wire import Envelope, Fate
from phi.tokens import MessageToken
from tracking import links

TIMEOUT = 20.0  # seconds


@transaction.atomic
def send_trial(version: TemplateVersion, persona: Persona, *, sender: Sender, by: User) -> Delivery:
    """Send this version, filled with a synthetic person's values, to `by`'s own address. Raises TrialRefused."""
    now = clock.now()
    about = facts.message(
        stream=Stream.MARKETING,
        template_version=version,
        sender=sender,
        tier=Sensitivity.PUBLIC,
        topic_id=None,
        approved_digest=bytes(version.digest),
        now=now,
    )
    plain = msgspec.structs.replace(
        about.facts, purpose=Purpose.OPERATIONS, message_class=MessageClass.TRANSACTIONAL, remunerated=False
    )
    nobody = uuid5(NAMESPACE_URL, f"persona:{persona.key}")
    reader = RecipientFacts(nobody, address=by.email, consent=NOTHING_SAID, suppressed="", shared_address=False)
    decision = decide(plain, reader, about.policy, now)
    if decision.verdict != Verdict.ALLOW or about.relay is None:
        raise TrialRefused(
            f"The test mail was not sent. {' '.join(words(reason).sentence for reason in decision.reasons)}"
        )
    origin = Origin.objects.create(
        pk=uuid7(),
        kind=Origin.Kind.TRIAL,
        stream=Stream.MARKETING,
        purpose=plain.purpose,
        message_class=plain.message_class,
        template_version=version,
        sender=sender,
        tier=Sensitivity.PUBLIC,
        approved_digest=bytes(version.digest),
        drained_at=now,
    )
    batch = SendBatch.objects.create(origin=origin, stream=origin.stream, contact_ids=[nobody], due_at=now, done_at=now)
    number = delivery_id(origin.pk, nobody, "")
    token = MessageToken(number, nobody, 0).encode()
    try:
        rendered = compiled(version.pk).render(nobody, persona.values, MessageLinks(token))
    except MissingValue as missing:
        raise TrialRefused(f"{persona.label}: no “{missing.key}”, so a person like this gets no mail.") from None
    except TemplateBroken as broken:
        raise TrialRefused(str(broken)) from None
    message = build(
        delivery_id=number,
        sender=sender_facts(sender),
        to=Addressee(nobody, by.email),
        body=Body(nobody, f"[Test] {rendered.subject}", rendered.html, rendered.text),
        unsubscribe_url=links.unsubscribe_url(token),
        at=now,
    )
    envelope = Envelope(
        number,
        nobody,
        envelope_address(sender.address),
        envelope_address(by.email),
        signer_of(sender).sign(message, now) + message,
    )
    handover = smtp.deliver(config_of(about.relay), [envelope], seconds=TIMEOUT)
    result = handover.results[0]
    if result.fate != Fate.SENT or result.session is None:
        raise TrialRefused("The relay did not take the test mail. Look at Delivery for what it said.")
    outcomes.save_sessions([result.session])
    outcomes.append(
        origin.pk,
        batch.pk,
        "",
        [
            outcomes.Row(
                number,
                nobody,
                Delivery.Outcome.SENT,
                now,
                decision.as_row() | {"trial": persona.key},
                method="relay_tls",
                session_id=result.session.id,
                smtp_code=result.code,
                smtp_status=result.status,
                content_sha256=hashlib.sha256(message).digest(),
            )
        ],
    )
    record("delivery.trial_sent", by=by, target=origin, persona=persona.key, version=str(version.pk))
    sessions = result.session
    transaction.on_commit(lambda: setattr(sessions, "saved", True))
    return Delivery.objects.get(pk=number)
