"""What the builder's buttons, keys and drags do to a draft."""

from segments import draft
from segments.draft import Clause, Group
from segments.steps import step


def clause(key: str) -> Clause:
    return Clause({"subject": f"attribute:{key}"})


def test_steps_move_add_and_remove_and_say_where_to_go_on() -> None:
    a, b = clause("t"), clause("n")
    root = Group("all", [a, b])
    assert step(root, "down:r-0").name == "r-1"
    assert root.items == [b, a]
    assert step(root, "up:r-0").name == "r-0"
    assert step(root, "group:r").name == "r-2-0"
    assert step(root, "condition:r-2").name == "r-2-1"
    assert step(root, "remove:r-2-1").name == "r-2-0"
    assert step(root, "remove:r-2").name == "r-1"
    assert step(root, "code:r-1:e11.9").name == "r-1"
    assert step(root, "code:r-1:E11.9").name == "r-1"
    assert a.values == ["E11.9"]
    assert step(root, "drop:r-1:E11.9").name == "r-1"
    assert a.values == []
    for nonsense in (
        *("", "remove", "remove:", "remove:r", "fly:r-0", "up:r-9", "code:r:E11", "condition:r-0", "::"),
        *("out:r", "into:r", "copy:r", "move:r-0", "move:r-0:r-9:0", "move:r-0:r:x", "move:r-0:r-1:0", "move:r:r:0"),
    ):
        step(root, nonsense)
    assert [type(item) for item in root.items] == [Clause, Clause]


def test_moves_into_and_out_of_groups_say_what_happened() -> None:
    a, b, c = clause("a"), clause("b"), clause("c")
    group = Group("any", [b])
    root = Group("all", [a, group, c])
    done = step(root, "into:r-0")
    assert (done.name, done.at, done.said) == ("r-0-0", "handle", "Condition 1 is now 1.1.")
    assert group.items == [a, b]
    assert step(root, "into:r-1").name == "r-0-2"
    assert step(root, "out:r-0-2").said == "Condition 1.3 is now 2."
    assert root.items == [group, c]
    assert "no group that it could leave" in step(root, "out:r-1").said
    step(root, "out:r-0-0")
    assert step(root, "out:r-0-0").name == "r-0"
    assert root.items == [b, a, c], "a group left empty goes"
    step(root, "into:r-2")
    assert isinstance(root.items[2], Group), "where there is no group one is made"
    assert "already first" in step(root, "up:r-0").said
    assert "already last" in step(root, "down:r-2").said


def test_a_drag_goes_to_any_group_but_not_into_itself() -> None:
    a, b, inner = clause("a"), clause("b"), Group("any", [clause("c")])
    outer = Group("none", [inner])
    root = Group("all", [a, outer, b])
    assert step(root, "move:r-0:r-1-0:1").name == "r-0-0-1"
    assert inner.items[1] is a
    assert step(root, "move:r-0-0-1:r:1").name == "r-1"
    assert root.items == [outer, a, b]
    assert step(root, "move:r-1:r:0").name == "r-0"
    assert step(root, "move:r-1:r-1-0:0").name == "r-1"
    assert root.items == [a, outer, b]
    assert step(root, "move:r-0:r:99").name == "r-2"


def test_a_copy_is_a_copy() -> None:
    root = Group("all", [Group("any", [clause("a")])])
    assert step(root, "copy:r-0").name == "r-1"
    step(root, "remove:r-1-0")
    assert len(root.items[0].items) == 1  # type: ignore[union-attr]


def test_words_of_a_picker_replace_or_join_what_is_there() -> None:
    one = Clause({"subject": "attribute:t", "q": "bo"}, ["Bost"])
    root = Group("all", [one])
    assert step(root, "value:r-0:Boston: North").at == "value"
    assert one.values == ["Boston: North"]
    one.values = ["Salem\nBoston\n"]
    step(root, "word:r-0:Lynn")
    step(root, "word:r-0:Salem")
    assert "\n".join(one.values).split() == ["Salem", "Boston", "Lynn"]
    assert one.part("q") == ""
    assert draft.find(root, "r-0") is one
