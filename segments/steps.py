"""What the builder's buttons, keys and drags do to a draft, and how each is told to whoever does not see it. Pure."""

from copy import deepcopy
from dataclasses import dataclass

from segments.draft import ROOT, Clause, Group, find, walk

Node = Group | Clause


@dataclass(frozen=True, slots=True)
class Done:
    """`name`: the node to go on with; `at`: the control of it that takes the keyboard ("" its first field,
    "handle", "search"); `said`: what to say aloud."""

    name: str = ""
    at: str = ""
    said: str = ""


def step(root: Group, do: str) -> Done:
    """Do what a button says ("remove:r-1", "move:r-0:r-2:1"); what makes no sense does nothing."""
    verb, _, rest = do.partition(":")
    name, _, extra = rest.partition(":")
    node = find(root, name) if name else None
    if node is None:
        return Done()
    if isinstance(node, Group) and verb in ("condition", "group"):
        return _add(node, name, verb)
    if isinstance(node, Clause) and verb in ("code", "drop", "value", "word"):
        return _value(node, name, verb, extra)
    parent = find(root, name.rpartition("-")[0])
    if not isinstance(parent, Group):
        return Done()
    return _move(root, parent, name, verb, extra)


def _add(group: Group, name: str, verb: str) -> Done:
    group.items.append(Clause() if verb == "condition" else Group("any", [Clause()]))
    added = f"{name}-{len(group.items) - 1}"
    if verb == "condition":
        return Done(added, said=f"Condition {place_of(added)} added.")
    return Done(f"{added}-0", said=f"Group {place_of(added)} added, with one condition.")


def _value(clause: Clause, name: str, verb: str, given: str) -> Done:
    """Of a picker: a code is in capitals, a word as it stands; "value" takes the place of what was there."""
    if verb == "drop":
        clause.values = [v for v in clause.values if v != given]
        return Done(name, "search", "Removed.")
    wanted = given.strip().upper() if verb == "code" else given.strip()
    if verb == "value":
        clause.values = [wanted]
    elif wanted and wanted not in (line.strip() for value in clause.values for line in value.splitlines()):
        clause.values = [value for value in clause.values if value.strip()] + [wanted]
    clause.parts["q"] = ""
    return Done(name, "value" if verb == "value" else "search", "Chosen.")


def _move(root: Group, parent: Group, name: str, verb: str, extra: str) -> Done:  # noqa: PLR0911  one way out a verb
    above, _, last = name.rpartition("-")
    place, items = int(last), parent.items
    node = items[place]
    what = "Group" if isinstance(node, Group) else "Condition"
    match verb:
        case "remove":
            del items[place]
            following = f"{above}-{min(place, len(items) - 1)}" if items else above
            return Done(following, "handle" if items else "", f"{what} {place_of(name)} removed.")
        case "copy":
            items.insert(place + 1, deepcopy(node))
            return Done(f"{above}-{place + 1}", "handle", f"{what} {place_of(name)} duplicated.")
        case "up" | "down":
            to = place + (1 if verb == "down" else -1)
            if not 0 <= to < len(items):
                return Done(
                    name, "handle", f"{what} {place_of(name)} is already {'first' if to < 0 else 'last'} there."
                )
            items[place], items[to] = items[to], items[place]
        case "into":
            _into(parent, place)
        case "out":
            if not _out(root, parent, above, node):
                return Done(name, "handle", f"{what} {place_of(name)} is in no group that it could leave.")
        case "move":
            if not _to(root, parent, node, extra):
                return Done(name, "handle")
        case _:
            return Done()
    now = next((at for at, found in walk(root) if found is node), above)
    return Done(now, "handle", f"{what} {place_of(name)} is now {place_of(now)}.")


def _into(parent: Group, place: int) -> None:
    """Into the group before it, else the one after it, else into a new one of its own."""
    node = parent.items.pop(place)
    before = parent.items[place - 1] if place else None
    after = parent.items[place] if place < len(parent.items) else None
    if isinstance(before, Group):
        before.items.append(node)
    elif isinstance(after, Group):
        after.items.insert(0, node)
    else:
        parent.items.insert(place, Group("any", [node]))


def _out(root: Group, parent: Group, above: str, node: Node) -> bool:
    """Behind the group it is in; a group that stays behind empty goes."""
    upper = find(root, above.rpartition("-")[0])
    if not isinstance(upper, Group):
        return False
    at = int(above.rpartition("-")[2])
    parent.items = [item for item in parent.items if item is not node]
    upper.items.insert(at + 1, node)
    if not parent.items:
        del upper.items[at]
    return True


def _to(root: Group, parent: Group, node: Node, extra: str) -> bool:
    """Into a group by name, at a place counted without the node itself."""
    name, _, at = extra.partition(":")
    target = find(root, name)
    inside = any(found is target for _, found in walk(node))
    if not isinstance(target, Group) or inside or not at.isdecimal() or len(at) > 6:
        return False
    parent.items = [item for item in parent.items if item is not node]
    target.items.insert(int(at), node)
    return True


def place_of(name: str) -> str:
    """ "r-2-0" → "3.1"; the root has none."""
    return ".".join(str(int(part) + 1) for part in name.removeprefix(ROOT).split("-") if part)
