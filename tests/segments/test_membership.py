"""Who is in a segment, who entered and left, and who was in it when; held against plain Python sets."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import close_old_connections, connection
from pyroaring import BitMap

from audit.models import Entry
from contacts import commands as contacts
from contacts.models import Contact
from core import clock
from core.actors import SYSTEM
from phi import seal
from phi.providers import LocalKeyFile
from phi.queries import kek_usage
from segments import bitmaps, commands, membership, queries, tasks_membership, uses
from segments.errors import Archived, InUse, MembershipUnreadable, NotARule, NotASnapshot, NotKept
from segments.history import history_of
from segments.models import Evaluation, EvaluationPart, Membership, Segment, Use
from segments.signals import membership_changed, users_wanted
from tests.contacts.factories import make_people
from tests.segments.factories import SegmentFactory, is_, rule

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IN_MA, IN_NY = rule(is_("state", "MA")), rule(is_("state", "NY"))
Told = list[tuple[set[UUID], set[UUID]]]


@pytest.fixture
def told(
    django_capture_on_commit_callbacks: Any,
) -> Iterator[Callable[[Segment, datetime], tuple[set[UUID], set[UUID]]]]:
    """Refreshes a segment at a moment, and says who was told to have entered and left it."""
    heard: list[tuple[UUID, list[UUID], list[UUID]]] = []

    def hear(sender: Any, segment_id: UUID, entered: list[UUID], left: list[UUID], **kwargs: Any) -> None:
        assert 0 < len(entered) + len(left) <= 1_000
        heard.append((segment_id, entered, left))

    def look(segment: Segment, at: datetime) -> tuple[set[UUID], set[UUID]]:
        heard.clear()
        with django_capture_on_commit_callbacks(execute=True):
            membership.refresh(segment, at=at)
        assert all(segment_id == segment.pk for segment_id, _, _ in heard)
        entered = [i for _, some, _ in heard for i in some]
        left = [i for _, _, some in heard for i in some]
        assert len(entered) == len(set(entered))
        return set(entered), set(left)

    membership_changed.connect(hear)
    yield look
    membership_changed.disconnect(hear)


def move(people: list[UUID], state: str) -> None:
    for contact in Contact.objects.filter(pk__in=people):
        contacts.update(contact, values={"state": state}, by=SYSTEM)


def used(segment: Segment, since: datetime = START) -> Segment:
    Use.objects.create(segment=segment, kind="workflow", used_by=uuid4(), since=since)
    return segment


def numbers(people: list[UUID]) -> BitMap:
    return membership.numbers_of(people)


# -- entering and leaving ----------------------------------------------------------------------------------------------


def test_the_first_look_tells_nothing_and_later_ones_who_moved(told: Any) -> None:
    ma, ny = make_people(3, state="MA"), make_people(2, state="NY")
    segment = used(SegmentFactory(rule=IN_MA))
    assert told(segment, START) == (set(), set())
    move(ny, "MA")
    move(ma[:1], "NY")
    assert told(segment, START + MINUTE) == (set(ny), {ma[0]})
    newest = Membership.objects.latest("taken_at")
    assert (newest.count, newest.entered, newest.left) == (4, 2, 1)


def test_a_look_that_finds_nobody_moved_writes_no_row_but_says_when_it_was(told: Any) -> None:
    make_people(3, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    assert told(segment, START + MINUTE) == (set(), set())
    row = Membership.objects.get()
    assert (row.taken_at, row.seen_at) == (START, START + MINUTE)


def test_many_are_told_a_thousand_at_a_time(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "BATCH", 10)
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    people = make_people(25, state="MA")
    assert told(segment, START + MINUTE) == (set(people), set())
    assert [len(ids) for ids in membership.ids_of(numbers(people))] == [10, 10, 5]


def test_a_deleted_person_leaves_silently(told: Any) -> None:
    people = make_people(3, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    contacts.delete_many(people[:1], by=SYSTEM)
    assert told(segment, START + MINUTE) == (set(), set())
    assert Membership.objects.latest("taken_at").left == 1


def test_a_changed_rule_tells_of_whom_it_lets_in_and_throws_out(told: Any) -> None:
    ma, ny = make_people(2, state="MA"), make_people(2, state="NY")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    commands.edit(segment, name="New", rule=IN_NY, by=SYSTEM)
    assert told(segment, START + MINUTE) == (set(ny), set(ma))
    assert [m.revision for m in Membership.objects.order_by("taken_at")] == [1, 2]


def test_what_happened_while_nobody_relied_on_it_is_told_to_nobody(told: Any) -> None:
    make_people(2, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    Use.objects.all().delete()
    late = make_people(1, state="MA")
    used(segment, START + timedelta(days=30))
    assert told(segment, START + timedelta(days=30, minutes=1)) == (set(), set())
    again = Membership.objects.latest("taken_at")
    assert (again.count, again.entered, again.told) == (3, 1, False)
    move(late, "NY")
    assert told(segment, START + timedelta(days=30, minutes=2)) == (set(), set(late))


def test_whoever_missed_a_signal_reads_it_again(told: Any) -> None:
    people = make_people(4, state="NY")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    first = Membership.objects.get()
    move(people[:2], "MA")
    told(segment, START + MINUTE)
    move(people[1:3], "NY")
    told(segment, START + 2 * MINUTE)
    found = [(set(entered), set(left)) for _, entered, left in membership.told_after(first)]
    assert found == [(set(people[:2]), set()), (set(), {people[1]})]


@pytest.mark.parametrize("seed", range(4))
def test_differences_and_history_are_those_of_plain_sets(told: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitmaps, "MAX_STEPS", 4)
    chance = random.Random(seed)
    state = dict.fromkeys(make_people(12, state="MA"), "MA")
    number = dict(Contact.objects.values_list("pk", "number"))
    segment, wanted = used(SegmentFactory(rule=IN_MA)), "MA"
    before: set[UUID] = set(state)
    told(segment, START)
    seen = [(START, {number[i] for i in before})]
    for n in range(1, 25):
        for _ in range(chance.randrange(4)):
            act = chance.random()
            if act < 0.2:
                new = chance.choice(["MA", "NY"])
                [made] = make_people(1, state=new)
                state[made], number[made] = new, Contact.objects.get(pk=made).number
            elif act < 0.3 and state:
                gone = chance.choice(list(state))
                contacts.delete_many([gone], by=SYSTEM)
                del state[gone]
            elif state:
                moved, new = chance.choice(list(state)), chance.choice(["MA", "NY"])
                move([moved], new)
                state[moved] = new
        if chance.random() < 0.1:
            wanted = "NY" if wanted == "MA" else "MA"
            commands.edit(segment, name="Again", rule=rule(is_("state", wanted)), by=SYSTEM)
        at = START + n * MINUTE
        now = {i for i, held in state.items() if held == wanted}
        assert told(segment, at) == (now - before, (before - now) & set(state))
        before = now
        seen.append((at, {number[i] for i in now}))
        contact = chance.choice(list(number))
        for moment, members in chance.sample(seen, min(5, len(seen))):
            assert set(membership.who_was_in(segment, moment)) == members
            if contact in state:
                assert membership.was_in(segment, contact, moment) == (number[contact] in members)
    assert Membership.objects.filter(steps=0).count() > 1
    assert Membership.objects.filter(steps__gt=0).exists()


# -- history -----------------------------------------------------------------------------------------------------------


def test_who_was_in_is_only_said_of_moments_somebody_looked_at(told: Any) -> None:
    make_people(2, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    with pytest.raises(NotKept, match="Watch it"):
        membership.who_was_in(segment, START)
    told(segment, START)
    told(segment, START + MINUTE)
    with pytest.raises(NotKept, match="from 01 Mar 2026, 12:00 UTC"):
        membership.who_was_in(segment, START - MINUTE)
    assert len(membership.who_was_in(segment, START + 2 * MINUTE)) == 2
    with pytest.raises(NotKept, match="after 01 Mar 2026, 12:01 UTC"):
        membership.who_was_in(segment, START + timedelta(hours=1))


def test_what_is_older_than_retention_goes_but_never_the_newest(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitmaps, "MAX_STEPS", 2)
    segment = used(SegmentFactory(rule=IN_MA))
    for n in range(8):
        make_people(10 if n == 0 else 1, state="MA")
        told(segment, START + timedelta(days=n))
    assert [m.steps for m in Membership.objects.order_by("taken_at")] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert membership.purge(START + timedelta(days=5)) == 3
    assert len(membership.who_was_in(segment, START + timedelta(days=4))) == 14
    assert membership.purge(START + timedelta(days=500)) == 3
    assert len(membership.who_was_in(segment, START + timedelta(days=7))) == 17
    with clock.set_to(START + timedelta(days=5_000)):
        tasks_membership.purge_memberships()
    assert Membership.objects.filter(segment=segment).count() == 2


def test_everybody_is_written_again_once_a_week(told: Any) -> None:
    make_people(20, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    for n in range(9):
        told(segment, START + timedelta(days=n))
        make_people(1, state="MA")
    assert [m.steps for m in Membership.objects.order_by("taken_at")] == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_a_persons_page_says_where_they_are_and_were(told: Any, django_assert_max_num_queries: Any) -> None:
    person, other = make_people(2, state="MA")
    make_people(20, state="MA")
    ma, ny = used(SegmentFactory(name="MA", rule=IN_MA)), used(SegmentFactory(name="NY", rule=IN_NY))
    told(ma, START), told(ny, START)
    move([person], "NY")
    told(ma, START + MINUTE), told(ny, START + MINUTE)
    with django_assert_max_num_queries(3):
        stays = membership.segments_of(person)
    assert [(s.segment.name, s.since, s.exactly, s.until) for s in stays] == [
        ("NY", START + MINUTE, True, None),
        ("MA", START, False, START + MINUTE),
    ]
    assert [(s.segment.name, s.since, s.exactly, s.until) for s in membership.segments_of(other)] == [
        ("MA", START, False, None)
    ]
    assert membership.segments_of(uuid4()) == []


# -- what is stored ----------------------------------------------------------------------------------------------------


def _flip(row: Membership) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE segments_membership SET members = set_byte(members, 60, get_byte(members, 60) # 1) WHERE id = %s",
            [row.pk],
        )


def test_a_tampered_newest_row_is_looked_at_anew_and_the_trail_says_so(told: Any) -> None:
    people = make_people(3, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    _flip(Membership.objects.get())
    assert told(segment, START + MINUTE) == (set(), set())
    assert set(membership.who_was_in(segment, START + MINUTE)) == set(numbers(people))
    assert Entry.objects.filter(action="segment.membership_unreadable", target_id=str(segment.pk)).count() == 1
    with pytest.raises(MembershipUnreadable):
        membership.who_was_in(segment, START)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE segments_membership SET taken_at = taken_at - interval '1 second' WHERE steps = 1",
        "UPDATE segments_membership SET count = count + 1 WHERE steps = 1",
        "DELETE FROM segments_membership WHERE steps = 1",
        "UPDATE segments_membership SET steps = 0 WHERE steps = 2",
        "UPDATE segments_membership m SET members = o.members, data_key = o.data_key, kek_id = o.kek_id"
        " FROM segments_membership o WHERE m.steps = 2 AND o.steps = 1",
    ],
)
def test_a_row_that_was_moved_or_lost_its_predecessor_is_not_trusted(told: Any, tampering: str) -> None:
    make_people(20, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    for n in range(3):
        told(segment, START + n * MINUTE)
        make_people(1, state="MA")
    assert [m.steps for m in Membership.objects.order_by("taken_at")] == [0, 1, 2]
    with connection.cursor() as cursor:
        cursor.execute(tampering)
    with pytest.raises(MembershipUnreadable):
        membership.who_was_in(segment, START + 2 * MINUTE)
    assert len(membership.who_was_in(segment, START)) == 20


def test_bitmaps_stay_readable_when_keys_are_rotated(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalKeyFile.create(tmp_path / "keyring.json")
    own = LocalKeyFile(tmp_path / "keyring.json")
    for module in ("phi.keyring", "phi.seal", "phi.fields", "phi.blind", "phi.commands", "segments.store.reading"):
        monkeypatch.setattr(f"{module}.keyring", lambda: own)
    make_people(5, state="MA")
    segment = used(SegmentFactory(rule=IN_MA))
    told(segment, START)
    late = make_people(1, state="MA")
    told(segment, START + MINUTE)
    EvaluationPart.objects.create(  # one nobody has answered yet
        evaluation=Evaluation.objects.create(rule={}, at=START),
        first=0,
        last=0,
        **dict(zip(("kek_id", "data_key"), seal.new_data_key()[1], strict=True)),
    )
    call_command("rotate_keys", stdout=StringIO())
    assert set(kek_usage()) == {"k2"}
    own.retire_kek("k1")
    assert len(membership.who_was_in(segment, START)) == 5
    move(late, "NY")
    assert told(segment, START + 2 * MINUTE) == (set(), set(late))


def test_lengths_say_next_to_nothing_of_who_is_in() -> None:
    assert {bitmaps.padded(length) for length in range(257)} == {256}
    lengths = [bitmaps.padded(length) for length in range(1, 200_000)]
    assert all(length <= padded <= max(256, length * 9 / 8) for length, padded in enumerate(lengths, 1))
    assert len(set(lengths)) < 200


# -- uses --------------------------------------------------------------------------------------------------------------


def test_a_sweep_looks_at_what_is_used_and_at_nothing_else() -> None:
    make_people(2, state="MA")
    watched, idle = SegmentFactory(rule=IN_MA), SegmentFactory(rule=IN_MA)
    within, broken = SegmentFactory(rule=IN_MA), SegmentFactory(rule=rule(is_("gone", "x")))
    commands_by = SYSTEM
    uses.watch(watched, by=commands_by)
    uses.claim(within, kind="segment", used_by=idle.pk)
    uses.claim(broken, kind="campaign", used_by=uuid4())
    tasks_membership.refresh_used()
    assert [m.segment_id for m in Membership.objects.all()] == [watched.pk]
    uses.unwatch(watched, by=commands_by)
    assert membership.due() == [broken.pk]
    actions = Entry.objects.filter(target_id=str(watched.pk)).values_list("action", flat=True)
    assert sorted(actions) == ["segment.unwatched", "segment.watched"]


def test_claims_are_counted_once_and_released_by_whoever_made_them() -> None:
    one, other, campaign = SegmentFactory(), SegmentFactory(), uuid4()
    for _ in range(2):
        uses.claim(one, kind="campaign", used_by=campaign)
    uses.claim(other, kind="campaign", used_by=campaign)
    assert Use.objects.count() == 2
    uses.release(kind="campaign", used_by=campaign, but=other)
    assert [use.segment_id for use in Use.objects.all()] == [other.pk]
    uses.release(kind="campaign", used_by=campaign)
    assert not Use.objects.exists()


def within(segment: Segment, op: str = "in") -> dict[str, Any]:
    return {"segment": str(segment.pk), "op": op}


def test_a_rule_that_names_segments_relies_on_them_until_it_names_others() -> None:
    one, other = SegmentFactory(rule=IN_MA), SegmentFactory(rule=IN_NY)
    whole = commands.create(name="Both", rule=rule(within(one), {"none": [within(other)]}), by=SYSTEM)
    assert set(Use.objects.values_list("segment", "kind", "used_by")) == {
        (one.pk, "segment", whole.pk),
        (other.pk, "segment", whole.pk),
    }
    with pytest.raises(InUse, match="Both"):
        commands.archive(one, by=SYSTEM)
    commands.edit(whole, name="One", rule=rule(within(other)), by=SYSTEM)
    commands.archive(one, by=SYSTEM)


def test_a_snapshot_is_named_in_rules_and_is_an_audience() -> None:
    kept, gone = make_people(4, state="MA"), make_people(1, state="MA")
    listed = commands.snapshot(IN_MA, name="Then", by=SYSTEM)
    contacts.delete_many(gone, by=SYSTEM)
    make_people(2, state="MA")
    move(kept[:1], "NY")
    assert queries.audience(queries.rule_of(listed)) == sorted(kept)
    assert queries.count(queries.rule_of(listed)) == 4
    still = rule(within(listed), is_("state", "MA"))
    assert queries.audience(still) == sorted(kept[1:])
    came = SegmentFactory(rule=rule(within(listed, "not_in")))
    assert len(membership.refresh(came).kept.members) == 2
    commands.remove_people(listed, kept[:1], by=SYSTEM)
    assert queries.audience(queries.rule_of(listed)) == sorted(kept[1:])
    assert queries.tier_of(queries.rule_of(commands.start_list(name="By hand", by=SYSTEM))) == "phi"
    _flip(Membership.objects.filter(segment=listed).latest("taken_at"))
    with pytest.raises(MembershipUnreadable):
        queries.audience(queries.rule_of(listed))


def test_what_another_segment_or_a_workflow_relies_on_is_not_archived() -> None:
    part, whole, workflow = SegmentFactory(), SegmentFactory(name="Whole"), uuid4()
    uses.claim(part, kind="segment", used_by=whole.pk)
    uses.claim(part, kind="campaign", used_by=uuid4())
    with pytest.raises(InUse, match=r"segment “Whole”\. Take it out there first"):
        commands.archive(part, by=SYSTEM)
    commands.archive(whole, by=SYSTEM)

    def name(sender: Any, uses: list[Use], **kwargs: Any) -> dict[UUID, tuple[str, str]]:
        return {workflow: ("Recall", "/workflows/1")}

    users_wanted.connect(name)
    uses.claim(part, kind="workflow", used_by=workflow)
    assert [(use.kind, use.name) for use in uses.used_where(part)] == [("campaign", ""), ("workflow", "Recall")]
    with pytest.raises(InUse, match="workflow “Recall”"):
        commands.archive(part, by=SYSTEM)
    users_wanted.disconnect(name)
    uses.release(kind="workflow", used_by=workflow)
    commands.archive(part, by=SYSTEM)


# -- snapshots ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_keeps_whoever_matched_on_its_day(told: Any) -> None:
    people = make_people(3, state="MA")
    found = commands.snapshot(IN_MA, name="MA today", by=SYSTEM)
    move(people[:1], "NY")
    make_people(1, state="MA")
    assert set(bitmaps.read(found.pk).members) == set(numbers(people))  # type: ignore[union-attr]
    assert told(found, START) == (set(), set())
    entry = Entry.objects.get(action="segment.snapshot_taken")
    assert (entry.details["people"], found.kind, found.tier) == (3, "snapshot", "identity")
    with pytest.raises(NotARule):
        commands.edit(found, name="Other", rule=IN_NY, by=SYSTEM)
    assert commands.edit(found, name="Other", rule=IN_MA, by=SYSTEM).name == "Other"


def test_people_are_put_into_a_list_and_taken_out_again(django_capture_on_commit_callbacks: Any) -> None:
    people = make_people(3)
    listed = commands.start_list(name="By hand", by=SYSTEM)
    assert listed.tier == "phi"
    heard: Told = []

    def hear(sender: Any, entered: list[UUID], left: list[UUID], **kwargs: Any) -> None:
        heard.append((set(entered), set(left)))

    membership_changed.connect(hear)
    with django_capture_on_commit_callbacks(execute=True):
        assert commands.add_people(listed, people[:2], by=SYSTEM) == 2
        assert commands.add_people(listed, [*people, uuid4()], by=SYSTEM) == 1
        assert commands.remove_people(listed, people[:1], by=SYSTEM) == 1
        assert commands.remove_people(listed, people[:1], by=SYSTEM) == 0
    membership_changed.disconnect(hear)
    assert heard == [(set(people[:2]), set()), ({people[2]}, set()), (set(), {people[0]})]
    assert set(bitmaps.read(listed.pk).members) == set(numbers(people[1:]))  # type: ignore[union-attr]
    words = ["People taken out by hand", "People put in by hand", "People put in by hand", "List started"]
    assert [event.text for event in history_of(listed)] == words
    with pytest.raises(NotASnapshot):
        commands.add_people(SegmentFactory(), people, by=SYSTEM)
    commands.archive(listed, by=SYSTEM)
    with pytest.raises(Archived):
        commands.add_people(listed, people, by=SYSTEM)


# -- two at once -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_looks_at_once_tell_everybody_once() -> None:
    segment = used(SegmentFactory(rule=IN_MA), clock.now())
    membership.refresh(segment)
    people = make_people(50, state="MA")
    heard: list[UUID] = []
    problems: list[BaseException] = []

    def hear(sender: Any, entered: list[UUID], left: list[UUID], **kwargs: Any) -> None:
        heard.extend(entered)
        assert not left

    def look() -> None:
        try:
            membership.refresh(segment)
        except BaseException as problem:
            problems.append(problem)
        finally:
            close_old_connections()
            connection.close()

    membership_changed.connect(hear)
    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    membership_changed.disconnect(hear)
    assert not problems
    assert sorted(heard) == sorted(people)
    rows = Membership.objects.order_by("taken_at")
    assert [(row.count, row.entered) for row in rows] == [(0, 0), (50, 50)]


@pytest.mark.django_db(transaction=True)
def test_a_sweep_passes_over_what_somebody_is_looking_at() -> None:
    segment = used(SegmentFactory(rule=IN_MA))
    passed: list[bool] = []

    def look() -> None:
        passed.append(membership.refresh_if_idle(segment.pk))
        connection.close()

    with membership.alone_on(segment.pk):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert passed == [False]
    assert membership.refresh_if_idle(segment.pk)
