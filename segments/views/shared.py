"""What several pages show of a rule: the count as far as the person may know it, and a masked sample."""

from typing import Any

from accounts.policy import Action
from accounts.requests import StaffRequest
from segments import counting, queries
from segments.catalog import Catalog
from segments.tree import Rule

#: So many people of a sample are shown.
SAMPLE = 5


def live(request: StaffRequest) -> bool:
    """Whether counts follow every keystroke and last counts are shown: not where counts could be played against
    each other (segments.asking)."""
    return request.user.may(Action.SMALL_CELLS)


def sample_for(request: StaffRequest, rule: Rule, catalog: Catalog, *, exact: bool) -> dict[str, Any]:
    """A few of the people, masked; nothing of people who were picked out by name."""
    found: dict[str, Any] = {"recorded": exact and queries.mixes_identifiers_with_health(rule, catalog)}
    if counting.may_sample(request.user, rule, catalog):
        found["sample"] = queries.sample(rule, SAMPLE, catalog)
    return found
