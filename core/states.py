"""How a state looks: its word, its tone and its icon. Colour never stands alone."""

from typing import NamedTuple


class Look(NamedTuple):
    label: str
    tone: str = ""
    icon: str = "info"


_LOOKS: dict[str, Look] = {
    # campaigns
    "DRAFT": Look("Draft", "", "draft"),
    "IN_REVIEW": Look("In review", "warn", "review"),
    "APPROVED": Look("Approved", "ok", "check"),
    "SCHEDULED": Look("Scheduled", "live", "calendar"),
    "SENDING": Look("Sending", "live", "delivery"),
    "PAUSED": Look("Paused", "warn", "pause"),
    "FINISHED": Look("Finished", "ok", "done"),
    "CANCELLED": Look("Cancelled", "", "stop"),
    # files on their way in
    "UPLOADED": Look("Uploaded", "", "upload"),
    "CHECKING": Look("Checking", "live", "clock"),
    "CHECKED": Look("Ready to import", "ok", "check"),
    "STOPPED": Look("Needs your decision", "warn", "warning"),
    "RUNNING": Look("Importing", "live", "upload"),
    "UNDOING": Look("Being undone", "live", "undo"),
    "UNDONE": Look("Undone", "", "undo"),
    "FAILED": Look("Failed", "danger", "warning"),
    "DISCARDED": Look("Discarded", "", "stop"),
    # exports of people
    "REQUESTED": Look("Waits for approval", "warn", "review"),
    "WITHDRAWN": Look("Withdrawn", "", "undo"),
    # deliveries
    "SENT": Look("Sent", "ok", "check"),
    "REFUSED": Look("Refused", "warn", "lock"),
    "UNKNOWN": Look("Unknown", "warn", "info"),
    # staff, relays, tokens
    "ACTIVE": Look("Active", "ok", "check"),
    "DISABLED": Look("Disabled", "", "stop"),
    "REVOKED": Look("Revoked", "", "stop"),
    "EXPIRED": Look("Expired", "danger", "clock"),
    # sensitivity
    "PUBLIC": Look("Public", "", "review"),
    "IDENTITY": Look("Identity", "", "person"),
    "PHI": Look("Health information", "warn", "lock"),
    "SPECIAL": Look("Special category", "danger", "lock"),
}


def look(state: str) -> Look:
    """The look of a state by its value, in either case; an unknown one shows its own word, plainly."""
    return _LOOKS.get(state.upper()) or Look(state.replace("_", " ").capitalize())
