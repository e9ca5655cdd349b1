"""What keeps somebody from going on, by the code that stands in Enrolment.trouble: in words, and what helps."""

from consent.errors import UnknownTopic
from delivery.errors import NoSuchOrigin, OriginCancelled
from phi.errors import SealBroken
from segments.errors import MembershipUnreadable, RuleError

TROUBLES: dict[str, str] = {
    "approval_outdated": "A segment it relies on is another one than was approved. Publish the journey again, so that "
    "a second person reads it as it stands, or put the segment back.",
    "attribute_gone": "The attribute this step sets was removed. Restore it, or publish a version without the step.",
    "bad_value": "The value does not fit the attribute. Correct the step or the event that brought it, and try again.",
    "call_failed": "The other system did not take the call, though it was tried often. Try again once it answers, or "
    "skip the step.",
    "chosen_by_more": "What sorts people here is more sensitive than the journey they should enter says of those it "
    "takes. Say there by what people are chosen and publish it, then try again; or skip the step.",
    "endpoint_gone": "The webhook's endpoint was removed. Publish a version that names another one, or skip the step.",
    "failed": "Something unforeseen went wrong at this step. Try again; if it stays, tell whoever runs Carillon.",
    "journey_closed": "The journey they should enter takes nobody now. Publish it and try again, or skip the step.",
    "list_gone": "The list of this step was archived. Restore it and try again, or skip the step.",
    "list_unreadable": "The list of this step cannot be read: what was kept was altered or damaged.",
    "mail_cancelled": "The sending of this mail was stopped. Publish a new version, or skip the step.",
    "mail_missing": "There is nothing frozen to send at this step. Publish a new version, or skip the step.",
    "record_unreadable": "What is known of this person cannot be opened: it was altered or damaged.",
    "rule_broken": "A rule here asks for something that was removed. Restore it and try again, or publish a version "
    "without it.",
    "segment_unreadable": "The segment asked for here cannot be read: what was kept was altered or damaged.",
    "tier_raised": "What it uses counts as more sensitive by now than when it was published. Publish it again, so that "
    "it is reviewed as such.",
    "step_gone": "This version has no such step. Move them to another version, or remove them.",
}

#: Trouble that everybody at the step is in alike: nobody needs to be tried alone.
SHARED: dict[type[Exception], str] = {
    RuleError: "rule_broken",
    UnknownTopic: "rule_broken",
    MembershipUnreadable: "segment_unreadable",
    OriginCancelled: "mail_cancelled",
    NoSuchOrigin: "mail_missing",
}


def shared(failure: Exception) -> str | None:
    """The code of a failure that concerns the step and not the person; None: it may be this one person's."""
    return next((code for kind, code in SHARED.items() if isinstance(failure, kind)), None)


def own(failure: Exception) -> str:
    """The code of one person's failure."""
    return shared(failure) or ("record_unreadable" if isinstance(failure, SealBroken) else "failed")


def said(code: str, cause: str = "") -> str:
    """In words; of a code nobody knows any more, the words of any failure. `cause`: of a call, why it failed."""
    if code == "call_failed" and cause:
        return f"The other system was not told. {cause} Try again once that is mended, or skip the step."
    return TROUBLES.get(code, TROUBLES["failed"])
