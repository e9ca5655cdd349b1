"""Every reason in words: what it means for people, and what to do about it."""

from typing import NamedTuple

from delivery.gate import Reason


class Words(NamedTuple):
    sentence: str
    what_to_do: str


WORDS: dict[str, Words] = {
    Reason.CONTACT_DELETED: Words("The contact was deleted.", "Nothing: deleted people are not written to."),
    Reason.RECORD_BROKEN: Words(
        "The person's sealed record does not open: it was altered, or its key is gone.",
        "Tell your administrator; the record has to be restored from a backup.",
    ),
    Reason.ADDRESS_MISSING: Words("No email address is known.", "Add an address on the contact's page or by import."),
    Reason.ADDRESS_INVALID: Words("The email address is not valid.", "Correct the address on the contact's page."),
    Reason.ADDRESS_NOT_ASCII: Words(
        "The part before the @ has letters that most mail servers do not take.",
        "Ask the person for an address in plain letters.",
    ),
    Reason.SUPPRESSED: Words(
        "The address is suppressed: it bounced, complained or asked for no more mail.",
        "Look at Compliance → Suppressed addresses; release it only if the person asks.",
    ),
    Reason.FACTS_UNKNOWN: Words(
        "Consent or suppression could not be read, so nothing was sent.", "Look at Delivery → Health and try again."
    ),
    Reason.OPTED_OUT: Words("The person opted out of this topic.", "Nothing: an opt-out is final until they opt in."),
    Reason.OPTED_OUT_ALL: Words("The person opted out of everything.", "Nothing, until they opt in themselves."),
    Reason.NO_OPT_IN: Words(
        "The person has not opted in to this topic.", "Record an opt-in with its evidence, or ask by double opt-in."
    ),
    Reason.TOPIC_MISSING: Words(
        "The mail has no topic that people could opt out of.", "Choose a topic for the campaign."
    ),
    Reason.NO_AUTHORIZATION: Words(
        "Marketing that uses health information, or that a third party pays for, needs a signed HIPAA authorization.",
        "Record the person's authorization, or leave the health information out of content and audience.",
    ),
    Reason.AUTHORIZATION_DEFECTIVE: Words(
        "The HIPAA authorization lacks a required element.", "Have a complete authorization signed."
    ),
    Reason.AUTHORIZATION_EXPIRED: Words("The HIPAA authorization has expired.", "Have a new authorization signed."),
    Reason.AUTHORIZATION_PURPOSE: Words(
        "The HIPAA authorization does not cover marketing.", "Have an authorization for marketing signed."
    ),
    Reason.AUTHORIZATION_REMUNERATION: Words(
        "A third party pays for this mail, and the authorization does not say so.",
        "Have an authorization signed that states the payment.",
    ),
    Reason.NO_SPECIAL_CONSENT: Words(
        "The mail uses specially protected information, and the person has not consented to that.",
        "Record the special-category consent, or leave that information out.",
    ),
    Reason.ADDRESS_UNCONFIRMED: Words(
        "The mail says health information, and the person has not confirmed the address.",
        "Let the person confirm the address, for example by double opt-in.",
    ),
    Reason.ADDRESS_SHARED: Words(
        "Two or more contacts share the address, so health information could reach the wrong person.",
        "Ask for an address of the person's own.",
    ),
    Reason.NO_RELAY: Words("There is no relay for this stream.", "Add a relay under Delivery → Relays."),
    Reason.NO_AGREEMENT: Words(
        "No business associate agreement with the relay's provider is in force.",
        "Record the agreement on the relay's page.",
    ),
    Reason.ONWARD_TLS_NOT_ENFORCED: Words(
        "The relay does not guarantee verified encryption onward, which health information needs.",
        "Use a relay that does, and record it on the relay's page.",
    ),
    Reason.NOT_APPROVED: Words(
        "The content is not exactly what was approved.", "Have the campaign approved as it stands."
    ),
    Reason.NO_POSTAL_ADDRESS: Words(
        "Commercial mail must show your postal address, and none is recorded.",
        "Fill in the postal address under Settings, then save the template again.",
    ),
    Reason.SENDER_UNVERIFIED: Words(
        "The sender's domain is not verified.", "Publish its DNS records and verify it under Delivery → Domains."
    ),
    Reason.FREQUENCY_CAP: Words(
        "The person has had as many commercial mails as you allow in that time.", "Wait, or raise the cap in Settings."
    ),
    Reason.QUIET_HOURS: Words("It is quiet hours where the person lives.", "Nothing: it leaves when they end."),
    Reason.MISSING_VALUE: Words(
        "A value the mail needs is missing for this person.", "Add the value, or give the merge tag a fallback."
    ),
    Reason.WRONG_RECIPIENT: Words(
        "The content was made for another person; it was stopped.", "Tell your administrator: this must not happen."
    ),
    Reason.RENDER_FAILED: Words(
        "The mail could not be made from this person's values.", "Preview the template with missing values."
    ),
    # Not of the gate: what the relay answered, and what ended the wait for it.
    "rejected": Words("The receiving server refused the message.", "Look at its status code."),
    "bounced": Words("The address does not exist (5.1.1); it is suppressed now.", "Ask for a new address."),
    "retries_exhausted": Words(
        "The receiving server put the message off for a day.", "Try the person again with the next mail."
    ),
    "greylisted": Words("The receiving server asked to try again later.", "Nothing: it is tried again by itself."),
    "relay_refused": Words(
        "The relay refused it for a reason that may concern all our mail, so it is tried again.",
        "Look at Delivery for what the relay said.",
    ),
    "cancelled": Words("The sending was cancelled before this person's turn.", "Nothing."),
    "withdrawn": Words("The person left the journey before the mail was handed over.", "Nothing."),
    "connection_lost": Words(
        "The connection broke after the message was handed over: it may or may not have arrived.",
        "Ask the person, or look in the relay's log, before sending again.",
    ),
}


def words(code: str) -> Words:
    return WORDS.get(code) or Words(code.replace("_", " ").capitalize() + ".", "")
