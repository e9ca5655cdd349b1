"""The shape of a journey: what follows what. Pure, and without recursion: graphs come from outside, too."""

from collections import deque
from collections.abc import Callable, Iterator

from workflows.language.definition import (
    SAME_AS,
    AnyStep,
    Definition,
    Span,
    Wait,
    WaitEvent,
    WaitUntil,
    WaitWeekday,
    after,
    ways_out,
)

#: Where a step leads by each way out, also by one that is not drawn (SAME_AS); only to steps there are.
Edges = dict[str, list[tuple[str, str]]]


def edges(definition: Definition) -> Edges:
    """For each step its ways out and the steps they lead to. A way that ends the journey is not among them."""
    return {
        step: [(way, to) for way in ways_out(node) if (to := after(node, way)) in definition.steps and to is not None]
        for step, node in definition.steps.items()
    }


def drawn(definition: Definition) -> list[tuple[str, str, str]]:
    """The edges as they are drawn: (step, way, next step), without those that only repeat another way."""
    return [
        (step, way, to)
        for step, found in edges(definition).items()
        for way, to in found
        if way in definition.steps[step].exits or way not in SAME_AS
    ]


def reached_from(found: Edges, starts: list[str], through: Callable[[str], bool] = lambda _: True) -> set[str]:
    """The starts and every step that comes after them, not looking beyond steps that are not `through`."""
    seen, waiting = set(starts), deque(starts)
    while waiting:
        step = waiting.popleft()
        if not through(step):
            continue
        for _, to in found.get(step, ()):
            if to not in seen:
                seen.add(to)
                waiting.append(to)
    return seen


def reachable(definition: Definition) -> set[str]:
    """The steps somebody can come to."""
    start = definition.start
    return reached_from(edges(definition), [start]) if start is not None and start in definition.steps else set()


def after_step(found: Edges, step: str) -> set[str]:
    """The steps that can come after this one; itself only by way of a loop."""
    return reached_from(found, [to for _, to in found.get(step, ())])


def before_step(found: Edges, step: str) -> set[str]:
    """The steps that can come before this one; itself only by way of a loop."""
    return after_step(turned(found), step)


def turned(found: Edges) -> Edges:
    """The same edges from end to start."""
    back: Edges = {step: [] for step in found}
    for step, ways in found.items():
        for way, to in ways:
            back[to].append((way, step))
    return back


def order(definition: Definition) -> list[str]:
    """All steps in the order of reading: each after those that lead to it, as far as loops let it; unreached last."""
    found = edges(definition)
    seen: set[str] = set()
    done: list[str] = []
    for root in ([definition.start] if definition.start in definition.steps else []) + list(definition.steps):
        if root is None or root in seen:
            continue
        part: list[str] = []
        seen.add(root)
        # Ways in reverse, so that the first way out is read first.
        stack: list[tuple[str, Iterator[tuple[str, str]]]] = [(root, iter(found[root][::-1]))]
        while stack:
            step, ways = stack[-1]
            follows = next((to for _, to in ways if to not in seen), None)
            if follows is None:
                stack.pop()
                part.append(step)
            else:
                seen.add(follows)
                stack.append((follows, iter(found[follows][::-1])))
        done += part[::-1]
    return done


def length(span: Span) -> int:
    """Minutes, a day being 24 hours."""
    return ((span.weeks * 7 + span.days) * 24 + span.hours) * 60 + span.minutes


def takes_time(node: AnyStep, way: str) -> bool:
    """Whether somebody who leaves by this way has stayed for more than a moment, however often they come here."""
    match node:
        case Wait():
            return length(node.span) > 0
        case WaitWeekday():
            return True
        case WaitUntil():
            return way == "next"  # at the second coming the moment is past, unless it moved
        case WaitEvent() if way == "timeout":
            return length(node.timeout) > 0
        case WaitEvent():
            return node.since == "here"  # what happened since they entered holds at each coming
    return False


def loops_without_wait(definition: Definition) -> list[list[str]]:
    """Groups of steps among which one can go round for ever at one moment, each in the order of reading."""
    found = {
        step: [(way, to) for way, to in ways if not takes_time(definition.steps[step], way)]
        for step, ways in edges(definition).items()
    }
    place = {step: n for n, step in enumerate(order(definition))}
    loops = [part for part in _components(found) if len(part) > 1 or any(to == part[0] for _, to in found[part[0]])]
    return sorted((sorted(loop, key=place.__getitem__) for loop in loops), key=lambda loop: place[loop[0]])


def _components(found: Edges) -> list[list[str]]:
    """Strongly connected parts: Tarjan's algorithm with a stack of its own."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    held: list[str] = []
    within: set[str] = set()
    parts: list[list[str]] = []
    for root in found:
        if root in index:
            continue
        stack = [(root, iter(found[root]))]
        index[root] = low[root] = len(index)
        held.append(root)
        within.add(root)
        while stack:
            step, ways = stack[-1]
            for _, to in ways:
                if to not in index:
                    index[to] = low[to] = len(index)
                    held.append(to)
                    within.add(to)
                    stack.append((to, iter(found[to])))
                    break
                if to in within:
                    low[step] = min(low[step], index[to])
            else:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[step])
                if low[step] == index[step]:
                    part: list[str] = []
                    while not part or part[-1] != step:
                        part.append(held.pop())
                        within.discard(part[-1])
                    parts.append(part)
    return parts
