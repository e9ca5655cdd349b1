import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import NotPossibleNow
from campaigns.models import Campaign
from campaigns.states import MOVES, WHAT_NEXT, may_move, move

S = Campaign.State

#: The whole law of moves, written out: (state, verb) -> state. Everything else is refused.
ALLOWED = {
    (S.DRAFT, "edit"): S.DRAFT,
    (S.IN_REVIEW, "edit"): S.DRAFT,
    (S.APPROVED, "edit"): S.DRAFT,
    (S.SCHEDULED, "edit"): S.DRAFT,
    (S.DRAFT, "submit"): S.IN_REVIEW,
    (S.IN_REVIEW, "withdraw"): S.DRAFT,
    (S.APPROVED, "withdraw"): S.DRAFT,
    (S.SCHEDULED, "withdraw"): S.DRAFT,
    (S.IN_REVIEW, "send_back"): S.DRAFT,
    (S.APPROVED, "send_back"): S.DRAFT,
    (S.SCHEDULED, "send_back"): S.DRAFT,
    (S.IN_REVIEW, "approve"): S.APPROVED,
    (S.APPROVED, "schedule"): S.SCHEDULED,
    (S.SCHEDULED, "schedule"): S.SCHEDULED,
    (S.SCHEDULED, "unschedule"): S.APPROVED,
    (S.SCHEDULED, "start"): S.SENDING,
    (S.SENDING, "pause"): S.PAUSED,
    (S.PAUSED, "resume"): S.SENDING,
    (S.SENDING, "finish"): S.FINISHED,
    (S.PAUSED, "finish"): S.FINISHED,
    (S.DRAFT, "cancel"): S.CANCELLED,
    (S.IN_REVIEW, "cancel"): S.CANCELLED,
    (S.APPROVED, "cancel"): S.CANCELLED,
    (S.SCHEDULED, "cancel"): S.CANCELLED,
    (S.SENDING, "cancel"): S.CANCELLED,
    (S.PAUSED, "cancel"): S.CANCELLED,
}


@pytest.mark.parametrize("verb", MOVES)
@pytest.mark.parametrize("state", S)
def test_every_move_is_as_written_or_refused_with_what_to_do(state: Campaign.State, verb: str) -> None:
    if (state, verb) in ALLOWED:
        assert may_move(state, verb)
        assert move(state, verb) == ALLOWED[state, verb]
    else:
        assert not may_move(state, verb)
        with pytest.raises(NotPossibleNow) as refusal:
            move(state, verb)
        assert WHAT_NEXT[state] in str(refusal.value)


@given(st.lists(st.sampled_from(sorted(MOVES)), max_size=30))
def test_no_series_of_verbs_reaches_sending_without_approval(verbs: list[str]) -> None:
    state, approved = S.DRAFT, False
    for verb in verbs:
        if not may_move(state, verb):
            continue
        state = move(state, verb)
        approved = {"approve": True, "edit": False, "withdraw": False, "send_back": False}.get(verb, approved)
        assert approved or state not in (S.SENDING, S.PAUSED, S.FINISHED, S.SCHEDULED)


@pytest.mark.parametrize("state", [S.FINISHED, S.CANCELLED])
def test_an_ended_campaign_stays_ended(state: Campaign.State) -> None:
    assert not any(may_move(state, verb) for verb in MOVES)
