"""The gate asked of simulated mails: the function that lets real ones out, with simulated mails counted in. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec

from consent.state import NOTHING_SAID, ConsentFacts
from content.models import TemplateVersion
from core.purposes import MessageClass
from delivery.gate import Decision, MessageFacts, Policy, RecipientFacts, decide


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail step: what its message is, and for each person (by row) what the gate asks about."""

    message: MessageFacts
    recipients: Sequence[RecipientFacts]
    stream: str
    #: The topic people can opt out of, live or not.
    topic: UUID | None = None
    #: What is written: frozen, or as the draft of the template would be.
    content: TemplateVersion | None = None
    opens: bool = False
    clicks: bool = False

    @property
    def commercial(self) -> bool:
        return self.message.message_class == MessageClass.COMMERCIAL


def ask(
    mail: Mailed, row: int, policy: Policy, now: datetime, *, recent: Sequence[datetime] = (), word: str = ""
) -> Decision:
    """May it leave now? `recent`: simulated commercial mails to the person; `word`: "in" or "out" of its topic, if they
    said so in the simulation."""
    person = mail.recipients[row]
    if recent and mail.commercial and policy.cap_messages is not None and person.recent is not None:
        person = msgspec.structs.replace(person, recent=(*person.recent, *recent))
    if word and mail.message.topic_id:
        person = msgspec.structs.replace(person, consent=_said(person.consent, word, person.contact_id))
    return decide(mail.message, person, policy, now)


def _said(known: ConsentFacts | None, word: str, basis: UUID) -> ConsentFacts:
    if word == "out":
        return replace(known or NOTHING_SAID, opted_out=True, opted_in=None)
    return replace(known or NOTHING_SAID, opted_out=False, opted_out_all=False, opted_in=basis)
