"""Why one person is in an audience or not: clause by clause, and what would have to change. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from segments.columns import Frame
from segments.context import Context
from segments.evaluate import Evaluation
from segments.sentence import Teller
from segments.tree import Clause, Group, InSegment, Node, Rule, below

_GROUPS = {"all": "all of these are true", "any": "at least one of these is true", "none": "none of these is true"}
Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """One clause or group, and whether it holds.

    `there`: what is known now. `decides`: it is among the fewest clauses that would have to turn out otherwise for the
    whole answer to do so; where several sets are as small, the first.
    """

    node: Node
    held: bool
    says: str
    there: str
    decides: bool
    items: tuple["Why", ...] = ()

    @property
    def deciding(self) -> "list[Why]":
        """The clauses that would have to turn out otherwise, in order."""
        inside = [why for item in self.items for why in item.deciding]
        return inside or ([self] if self.decides and not isinstance(self.node, Group) else [])


def explain(rule: Rule, frame: Frame, context: Context, teller: Teller, there: Callable[[Clause], str]) -> Why:
    """`frame` has one row, that person's; `there` says what is known of what a clause asks, as far as one may see it.

    A clause that stands in two places counts in each.
    """
    explainer = _Explainer(Evaluation(frame, context), teller, there)
    explainer.decide(rule.root)
    return explainer.why(rule.root, ())


class _Explainer:
    def __init__(self, evaluation: Evaluation, teller: Teller, there: Callable[[Clause], str]) -> None:
        self.evaluation = evaluation
        self.teller = teller
        self.there = there
        self.deciding: frozenset[Place] = frozenset()

    def _held(self, node: Node) -> bool:
        return bool(self.evaluation.node(node)[0])

    def decide(self, root: Group) -> None:
        self.deciding = frozenset(self._turns(root, (), to=not self._held(root)))

    def _turns(self, node: Node, place: Place, *, to: bool) -> list[Place]:
        """Where the fewest clauses stand that would have to turn out otherwise for the node to come out `to`."""
        if self._held(node) == to:
            return []
        if isinstance(node, InSegment) and below(node):
            return self._turns(below(node)[0], (*place, 0), to=to == node.inside)
        if not isinstance(node, Group):
            return [place]
        wanted = to != (node.match == "none")
        ways = [self._turns(item, (*place, n), to=wanted) for n, item in enumerate(node.items)]
        if to == (node.match != "any"):  # it takes all of them
            return [found for way in ways for found in way]
        return min(ways, key=len)

    def why(self, node: Node, place: Place) -> Why:
        items = tuple(self.why(item, (*place, n)) for n, item in enumerate(below(node)))
        decides = place in self.deciding or any(item.decides for item in items)
        if isinstance(node, Group):
            return Why(node, self._held(node), _GROUPS[node.match], "", decides, items)
        there = "" if items else self.there(node)
        return Why(node, self._held(node), self.teller.clause(node), there, decides, items)
