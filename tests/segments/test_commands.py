import pytest
from django.db import connection

from accounts.policy import Role
from audit.models import Entry
from contacts.models import Attribute
from core.actors import SYSTEM
from segments import commands
from segments.errors import Archived, IdentifiersWithHealth, NameMissing, NotTheLatest
from segments.models import Segment
from segments.rules import RuleError
from tests.accounts.factories import UserFactory, api_token
from tests.segments.factories import SegmentFactory, has, is_, rule

pytestmark = pytest.mark.django_db
IN_MA = rule(is_("state", "MA"))


def test_creating_keeps_the_tier_and_an_audit_line_without_words() -> None:
    marketer = UserFactory(roles=[Role.MARKETER])
    segment = commands.create(name="  Diabetes in MA ", rule=rule(is_("state", "MA"), has("E11.*")), by=marketer)
    segment.refresh_from_db()
    assert (segment.name, segment.tier, segment.created_by) == ("Diabetes in MA", "phi", marketer.pk)
    entry = Entry.objects.get(action="segment.created", target_id=str(segment.pk))
    assert entry.details == {"tier": "phi", "fields": ["conditions", "state"]}
    assert "Diabetes" not in str(entry.details)


def test_nothing_of_a_segment_is_readable_in_the_table() -> None:
    segment = SegmentFactory(name="HIV mailing", rule=rule(has("B20")), description="xq-canary")
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(s)::text FROM segments_segment s WHERE id = %s", [segment.pk])
        [row] = cursor.fetchone()
    assert segment.tier in row
    assert "HIV" not in row
    assert "B20" not in row
    assert "canary" not in row


def test_a_bad_rule_and_a_missing_name_change_nothing() -> None:
    segment = SegmentFactory()
    for refused in (
        lambda: commands.create(name="A", rule=rule(), by=SYSTEM),
        lambda: commands.create(name=" ", rule=IN_MA, by=SYSTEM),
        lambda: commands.create(name="x" * 121, rule=IN_MA, by=SYSTEM),
        lambda: commands.create(name="A", description="\ud800", rule=IN_MA, by=SYSTEM),
        lambda: commands.edit(segment, name="A", rule={"version": 1}, by=SYSTEM),
    ):
        with pytest.raises((RuleError, NameMissing)):
            refused()
    assert Segment.objects.count() == 1
    assert not Entry.objects.filter(action__startswith="segment.").exists()


def test_editing_moves_the_revision_and_forgets_the_old_count() -> None:
    segment = SegmentFactory(rule=IN_MA)
    commands.keep_count(segment, 7)
    commands.edit(segment, name="New name", rule=IN_MA, by=SYSTEM)
    segment.refresh_from_db()
    assert (segment.name, segment.revision, segment.last_count) == ("New name", 2, 7)
    commands.edit(segment, name="New name", rule=rule(has("E11")), revision=2, by=SYSTEM)
    segment.refresh_from_db()
    assert (segment.revision, segment.last_count, segment.tier) == (3, None, "phi")
    assert [e.details["rule"] for e in Entry.objects.filter(action="segment.edited").order_by("at")] == [False, True]


def test_an_overtaken_edit_is_refused() -> None:
    segment = SegmentFactory()
    commands.edit(segment, name="Mine", rule=IN_MA, revision=1, by=SYSTEM)
    with pytest.raises(NotTheLatest, match="while you were editing"):
        commands.edit(segment, name="Theirs", rule=IN_MA, revision=1, by=SYSTEM)
    segment.refresh_from_db()
    assert segment.name == "Mine"


def test_archiving_hides_and_restoring_brings_back_once_each() -> None:
    segment = SegmentFactory()
    for _ in range(2):
        commands.archive(segment, by=SYSTEM)
    with pytest.raises(Archived):
        commands.edit(segment, name="A", rule=IN_MA, by=SYSTEM)
    for _ in range(2):
        commands.restore(segment, by=SYSTEM)
    assert commands.edit(segment, name="A", rule=IN_MA, by=SYSTEM).archived_at is None
    assert list(Entry.objects.filter(target_id=str(segment.pk)).order_by("at").values_list("action", flat=True)) == [
        "segment.archived",
        "segment.restored",
        "segment.edited",
    ]


def test_a_copy_is_a_segment_of_its_own_and_must_still_make_sense() -> None:
    segment = SegmentFactory(name="N" * 120, rule=IN_MA)
    copy = commands.duplicate(segment, by=SYSTEM)
    assert copy.pk != segment.pk
    assert copy.rule == IN_MA
    assert len(copy.name) == 120
    Attribute.objects.filter(key="state").update(removed_at="2026-03-01T00:00Z")
    with pytest.raises(RuleError, match="was removed"):
        commands.duplicate(segment, by=SYSTEM)


def test_whoever_may_not_reveal_cannot_save_names_with_health_either() -> None:
    token, _ = api_token(["segments.edit"])
    with pytest.raises(IdentifiersWithHealth):
        commands.create(name="A", rule=rule(is_("last_name", "Smith"), has("B20")), by=token)
    wider, _ = api_token(["segments.edit", "contacts.reveal"])
    assert commands.create(name="A", rule=rule(is_("last_name", "Smith"), has("B20")), by=wider).pk
