"""Write the trail. Callers use `audit.commands.record` inside their own transaction."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import connection, models, transaction

from audit import leaves, merkle, signing
from audit.errors import TrailBroken
from audit.models import Checkpoint, Entry, Leaf, Node, Watch
from audit.queries import BLOCK, Tree, last_head
from core import clock
from core.actors import SYSTEM, By, actor_of

Detail = str | int | float | bool | None | list[str] | list[int] | dict[str, int] | dict[str, str]

#: Advisory lock of the one sealer.
LOCK = 0x5EA1
#: Entries sealed in one transaction.
BATCH = 5_000
#: LOG-04: an entry that has waited longer for its leaf is an alarm.
MAX_DELAY = timedelta(minutes=2)


def build(
    action: str,
    *,
    by: By,
    target: models.Model | None = None,
    subject: UUID | None = None,
    **details: Detail,
) -> Entry:
    actor = actor_of(by)
    return Entry(
        at=clock.now(),
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_roles=list(actor.roles),
        source=actor.source,
        target_kind=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        subject_id=subject,
        details=details,
    )


def record(
    action: str, *, by: By, target: models.Model | None = None, subject: UUID | None = None, **details: Detail
) -> Entry:
    """Append one event to the trail, in the caller's transaction. `details` are ids, enum values and numbers only."""
    entry = build(action, by=by, target=target, subject=subject, **details)
    entry.save(force_insert=True)
    return entry


def record_many(entries: Iterable[Entry]) -> None:
    """Append many events (from `build`) in one statement."""
    Entry.objects.bulk_create(entries)


def seal() -> int:
    """Give every committed entry its leaf and sign the new head. Returns the size of the tree."""
    while True:
        size, more = _seal_batch()
        if not more:
            return size


@transaction.atomic
def _seal_batch() -> tuple[int, bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    head = last_head()
    size = head.size if head else 0
    entries = _take_pending()
    if not entries:
        return size, False
    Leaf.objects.bulk_create(_leaves(entries, size))
    grown = size + len(entries)
    _store_nodes(size, grown)
    tree = Tree()
    root = tree.root(grown)
    if head and not merkle.is_consistent(size, head.root, grown, root, tree.consistency(size, grown)):
        raise TrailBroken("The stored trail is not the one last signed. Compare it with a backup; nothing is signed.")
    Checkpoint.objects.create(size=grown, root_hash=root, note=signing.sign(grown, root), at=clock.now())
    return grown, len(entries) == BATCH


def _take_pending() -> list[Entry]:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM audit_pending WHERE entry_id IN"
            " (SELECT entry_id FROM audit_pending ORDER BY since, entry_id LIMIT %s) RETURNING entry_id",
            [BATCH],
        )
        ids = [row[0] for row in cursor.fetchall()]
    return list(Entry.objects.filter(pk__in=ids).order_by("at", "pk")) if ids else []


def _leaves(entries: list[Entry], first: int) -> list[Leaf]:
    actor_seqs = _last_seqs("actor", "text", {leaves.actor_key(entry) for entry in entries})
    subject_seqs = _last_seqs("subject_id", "uuid", {str(e.subject_id) for e in entries if e.subject_id})
    made = []
    for index, entry in enumerate(entries, first):
        actor = leaves.actor_key(entry)
        actor_seqs[actor] = actor_seqs.get(actor, 0) + 1
        leaf = Leaf(index=index, entry=entry, actor=actor, actor_seq=actor_seqs[actor], subject_id=entry.subject_id)
        if subject := entry.subject_id and str(entry.subject_id):
            subject_seqs[subject] = leaf.subject_seq = subject_seqs.get(subject, 0) + 1
        leaf.leaf_hash = merkle.leaf_hash(leaves.encode(entry, leaf))
        made.append(leaf)
    return made


def _last_seqs(column: str, kind: str, keys: set[str]) -> dict[str, int]:
    """The last counter of each key, one index probe a key."""
    seq = column.removesuffix("_id") + "_seq"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT k::text, l.{seq} FROM unnest(%s::{kind}[]) k CROSS JOIN LATERAL"  # noqa: S608
            f" (SELECT {seq} FROM audit_leaf WHERE {column} = k ORDER BY {seq} DESC LIMIT 1) l",
            [sorted(keys)],
        )
        return dict(cursor.fetchall())


def _store_nodes(old: int, new: int) -> None:
    """Keep the hash of every subtree of 256, 65,536 … leaves that has become complete."""
    level = BLOCK
    while new >> level:
        tree = Tree()
        numbers = range(old >> level, new >> level)
        Node.objects.bulk_create(
            [Node(level=level, index=n, hash=tree.block(level - BLOCK, n)[BLOCK][0]) for n in numbers]
        )
        level += BLOCK


def verify(*, limit: int = 200_000) -> Watch:
    """Hash the next `limit` entries anew and compare them with what was signed; keep and return what was found."""
    with transaction.atomic():
        watch = Watch.objects.select_for_update().filter(pk=1).first() or Watch(pk=1, at=clock.now())
        problem_before = watch.problem
        size = 0
        try:
            head = last_head()
            size = head.size if head else 0
            watch.problem = _standing_problem(head) or _altered_entry(watch.cursor, min(size, watch.cursor + limit))
        except TrailBroken as refusal:
            watch.problem = str(refusal)
        watch.at = clock.now()
        if not watch.problem:
            watch.cursor += limit
            if watch.cursor >= size:
                watch.cursor, watch.whole_size, watch.whole_at = 0, size, watch.at
        watch.save()
        if watch.problem and not problem_before:
            record("trail.problem_found", by=SYSTEM, size=size)
    return watch


def _standing_problem(head: signing.Head | None) -> str:
    with connection.cursor() as cursor:  # one statement, so one moment: others write and seal meanwhile
        cursor.execute(
            "SELECT (SELECT count(*) FROM audit_leaf), (SELECT coalesce(max(size), 0) FROM audit_checkpoint),"
            " (SELECT count(*) FROM audit_entry), (SELECT count(*) FROM audit_pending),"
            " (SELECT min(since) FROM audit_pending)"
        )
        sealed, signed, entries, waiting, oldest = cursor.fetchone()
    if sealed != signed:
        return f"{sealed:,} leaves stand where the last checkpoint signed {signed:,}."
    if entries != sealed + waiting:
        return f"{entries:,} entries stand where {sealed + waiting:,} are sealed or waiting."
    if oldest and oldest < clock.now() - MAX_DELAY:
        return "Entries have waited for their seal for minutes. Is the worker running?"
    if head and Tree().root(head.size) != head.root:
        return "The stored hashes do not lead to the root last signed."
    return ""


def _altered_entry(first: int, last: int) -> str:
    for begin in range(first, last, BATCH):
        end = min(begin + BATCH, last)
        rows = Leaf.objects.filter(index__gte=begin, index__lt=end).select_related("entry").order_by("index")
        expected = begin
        for leaf in rows:
            if leaf.index != expected or merkle.leaf_hash(leaves.encode(leaf.entry, leaf)) != bytes(leaf.leaf_hash):
                return f"Entry {expected:,} is not the one that was sealed."
            expected += 1
        tree = Tree()
        for number in range(-(-begin >> BLOCK), end >> BLOCK):
            if tree.block(0, number)[BLOCK][0] != tree.node(BLOCK, number):
                return f"The hash over entries {number << BLOCK:,} to {((number + 1) << BLOCK) - 1:,} was altered."
    return ""
