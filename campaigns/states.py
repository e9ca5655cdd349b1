"""The life of a campaign as one table. Pure."""

from campaigns.errors import NotPossibleNow
from campaigns.models import Campaign

State = Campaign.State

#: verb -> (states it may be said in, state it leads to)
MOVES: dict[str, tuple[frozenset[State], State]] = {
    "edit": (frozenset({State.DRAFT, State.IN_REVIEW, State.APPROVED, State.SCHEDULED}), State.DRAFT),
    "submit": (frozenset({State.DRAFT}), State.IN_REVIEW),
    "withdraw": (frozenset({State.IN_REVIEW, State.APPROVED, State.SCHEDULED}), State.DRAFT),
    "send_back": (frozenset({State.IN_REVIEW, State.APPROVED, State.SCHEDULED}), State.DRAFT),
    "approve": (frozenset({State.IN_REVIEW}), State.APPROVED),
    "schedule": (frozenset({State.APPROVED, State.SCHEDULED}), State.SCHEDULED),
    "unschedule": (frozenset({State.SCHEDULED}), State.APPROVED),
    "start": (frozenset({State.SCHEDULED}), State.SENDING),
    "pause": (frozenset({State.SENDING}), State.PAUSED),
    "resume": (frozenset({State.PAUSED}), State.SENDING),
    "finish": (frozenset({State.SENDING, State.PAUSED}), State.FINISHED),
    "cancel": (
        frozenset({State.DRAFT, State.IN_REVIEW, State.APPROVED, State.SCHEDULED, State.SENDING, State.PAUSED}),
        State.CANCELLED,
    ),
}

WHAT_NEXT = {
    State.DRAFT: "It is a draft: submit it for review first.",
    State.IN_REVIEW: "It is in review: a second person has to approve it or send it back.",
    State.APPROVED: "It is approved: schedule it or send it now.",
    State.SCHEDULED: "It is scheduled: take it off the schedule to change it.",
    State.SENDING: "It is being sent: pause or cancel it.",
    State.PAUSED: "It is paused: resume or cancel it.",
    State.FINISHED: "It is finished: duplicate it to write again.",
    State.CANCELLED: "It was cancelled: duplicate it to write again.",
}


def may_move(state: str, verb: str) -> bool:
    return State(state) in MOVES[verb][0]


def move(state: str, verb: str) -> State:
    """The state that `verb` leads to. Raises NotPossibleNow with what can be done instead."""
    allowed, target = MOVES[verb]
    if State(state) not in allowed:
        raise NotPossibleNow(f"This campaign cannot {verb.replace('_', ' ')} now. {WHAT_NEXT[State(state)]}")
    return target
