"""A year of campaigns for made-up people: opaque rows made by the database itself, from ids it already has."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bench import people_columns
from bench.million_people import Leaving

#: Messages and events for each person, all campaigns together; 50 campaigns and a million people make 20 M.
MESSAGES, EVENTS = 13.0, 7.0
#: name, public name, needs an opt-in
TOPICS = (
    ("Health tips and classes", "News and tips", True),
    ("Diabetes program", "Program news", True),
    ("Products and offers", "Offers", True),
    ("Care reminders", "Reminders", False),
    ("Satisfaction surveys", "Surveys", False),
)
TEMPLATES = ("education", "education", "new_product", "reminder", "survey")
DAYS_BETWEEN = 7


@dataclass(frozen=True, slots=True)
class Ground:
    """What the mails go out with."""

    topics: list[Any]
    campaigns: list[Any]
    relay: Any


def ground(campaigns: int) -> Ground:
    """Everything that is not people: the first time by the product's own commands, later as it stands."""
    from campaigns.models import Campaign
    from consent.models import Topic
    from core.actors import SYSTEM
    from delivery.models import Relay
    from marketing import ways_out
    from marketing.demo import clinic

    sender = ways_out.ensure()
    if not Campaign.objects.exists():
        from django.db import transaction

        with transaction.atomic():
            staff = clinic.staff()
            clinic.organization()
            _attributes()
            _campaigns(campaigns, staff, _topics(SYSTEM), sender)
    relay = Relay.objects.filter(stream="marketing", removed_at=None).order_by("created_at").first()
    waiting = Campaign.objects.filter(state__in=("APPROVED", "FINISHED")).order_by("created_at", "pk")
    return Ground(list(Topic.objects.order_by("number")), list(waiting), relay)


def _attributes() -> None:
    from contacts.models import Attribute

    Attribute.objects.bulk_create(
        [
            Attribute(key=key, label=label, kind=kind, sensitivity=tier, choices=choices, position=500 + place)
            for place, (key, label, kind, tier, choices) in enumerate(people_columns.ATTRIBUTES)
        ],
        ignore_conflicts=True,
    )


def _topics(by: Any) -> list[Any]:
    import consent.commands

    return [
        consent.commands.create_topic(name=name, public_name=public, requires_opt_in=needs, by=by)
        for name, public, needs in TOPICS
    ]


def _segments(topics: list[Any]) -> list[Any]:
    """One a topic, and some of the kind people ask for."""
    import segments.commands
    from core.actors import SYSTEM

    rules = [
        (f"All who want: {name}", [{"topic": str(t.pk), "op": "opted_in"}])
        for t, (name, *_) in zip(topics, TOPICS, strict=True)
    ]
    rules += [
        (
            "Women 50 to 74, no mammogram in two years",
            [
                {"attribute": "sex", "op": "one_of", "value": ["female"]},
                {"attribute": "birth_date", "op": "age_between", "value": {"from": 50, "to": 74}},
                {"attribute": "procedures", "op": "has_none", "value": ["77067"], "when": {"in_last": 730}},
            ],
        ),
        ("Active diabetes", [{"attribute": "conditions", "op": "has", "value": ["E11.*"], "when": "active"}]),
        ("Massachusetts", [{"attribute": "state", "op": "is", "value": "MA"}]),
    ]  # fmt: skip
    return [
        segments.commands.create(name=name, description="", rule={"version": 1, "root": {"all": clauses}}, by=SYSTEM)
        for name, clauses in rules
    ]


def _campaigns(count: int, staff: dict[str, Any], topics: list[Any], sender: Any) -> None:
    """Written, submitted and approved; the last two are left in review and in draft."""
    import campaigns.commands
    import content.commands
    from campaigns import approval
    from content.starters import STARTERS
    from core import clock
    from marketing.demo.clinic import morning

    marketer, approver = staff["marketer"], staff["approver"]
    segments = _segments(topics)
    templates = {
        key: content.commands.create_template(by=marketer, starter=True, **fields) for key, fields in STARTERS.items()
    }
    for number in range(count + 2):
        topic = number % len(topics)
        chosen = {"segment": segments[topic], "template": templates.get(TEMPLATES[topic], templates["education"])}
        with clock.set_to(morning(DAYS_BETWEEN * (count - number) + 3 if number < count else 1)):
            made = campaigns.commands.create(
                name=f"{TOPICS[topic][0]}, issue {number // len(topics) + 1}", by=marketer, sender=sender,
                topic=topics[topic], track_opens=True, track_clicks=True, **chosen,
            )  # fmt: skip
            if number > count:
                continue
            made = campaigns.commands.submit(made, by=marketer)
            if number < count:
                campaigns.commands.approve(made, by=approver, seen=approval.digest(made))
        type(made).objects.filter(pk=made.pk).update(created_at=clock.now() - timedelta(days=400 - number))


# What follows is SQL over ids. Chance comes from PostgreSQL's own hash of an id, so that each run chooses the same.

AUDIENCE = """
CREATE TEMP TABLE audience ON COMMIT DROP AS
SELECT c.id FROM contacts_contact c
WHERE c.number >= %(first)s AND c.email_index IS NOT NULL AND (NOT %(needs)s OR EXISTS (
    SELECT FROM consent_ledgerentry l WHERE l.contact_id = c.id AND l.topic_id = %(topic)s AND l.act = 'opt_in'))
"""
BATCHES = """
INSERT INTO delivery_sendbatch (id, origin_id, stream, visit, contact_ids, due_at, epoch, done_at)
SELECT gen_random_uuid(), %(origin)s, 'marketing', '', array_agg(id), %(at)s, 1,
       %(at)s + make_interval(secs => (n + 1) * 0.4)
FROM (SELECT id, (row_number() OVER () - 1) / 500 AS n FROM audience
      WHERE (uuid_hash_extended(id, %(salt)s) & 1048575) < %(share)s * 1048576) chosen
GROUP BY n
"""
SESSIONS = """
INSERT INTO delivery_smtpsession (id, relay_id, host, address, tls_version, cipher, certificate_sha256,
    certificate_subject, basis, started_at)
SELECT gen_random_uuid(), %(relay)s, 'localhost', '127.0.0.1', 'TLSv1.3', 'TLS_AES_256_GCM_SHA384', repeat('0', 64), '',
    'private-ca', %(at)s
FROM generate_series(1, 20) RETURNING id
"""
# Of 1,024: 30 refused by the gate, 13 failed, 2 unknown, the rest sent.
DELIVERIES = """
INSERT INTO delivery_delivery (id, origin_id, batch_id, visit, contact_id, outcome, at, decision, reasons, method,
    session_id, smtp_code, smtp_status, content_sha256)
SELECT gen_random_uuid(), b.origin_id, b.id, '', p.id,
    CASE WHEN r < 30 THEN 'refused' WHEN r < 43 THEN 'failed' WHEN r < 45 THEN 'unknown' ELSE 'sent' END,
    b.done_at - make_interval(secs => (4 - (p.n - 1) / 100) * 0.08), CASE WHEN r < 30 THEN jsonb_set(%(decision)s, '{verdict}', '"refuse"') ELSE %(decision)s END,
    CASE WHEN r < 14 THEN ARRAY['suppressed'] WHEN r < 22 THEN ARRAY['opted_out'] WHEN r < 30 THEN ARRAY['address_missing']
         WHEN r < 38 THEN ARRAY['bounced'] WHEN r < 43 THEN ARRAY['rejected'] WHEN r < 45 THEN ARRAY['connection_lost']
         ELSE ARRAY[]::text[] END,
    CASE WHEN r < 30 THEN '' ELSE 'relay_tls' END,
    CASE WHEN r >= 30 THEN (%(sessions)s::uuid[])[1 + r %% 20] END,
    CASE WHEN r < 30 THEN NULL WHEN r < 43 THEN 550 WHEN r < 45 THEN NULL ELSE 250 END,
    CASE WHEN r < 30 THEN '' WHEN r < 38 THEN '5.1.1' WHEN r < 43 THEN '5.7.1' WHEN r < 45 THEN '' ELSE '2.0.0' END,
    CASE WHEN r >= 30 THEN sha256(uuid_send(p.id)) END
FROM delivery_sendbatch b CROSS JOIN LATERAL unnest(b.contact_ids) WITH ORDINALITY AS p(id, n)
CROSS JOIN LATERAL (SELECT (uuid_hash_extended(p.id, %(salt)s + 1000) & 1023)::int AS r) chance
WHERE b.origin_id = %(origin)s
"""
# Of 1,024 messages: 92 are opened and 30 clicked by a machine, 340 opened by a person, 70 again, 75 clicked.
EVENTS_OF = """
INSERT INTO tracking_event (id, delivery_id, origin_id, contact_id, kind, link, at, verdict, client)
SELECT gen_random_uuid(), d.id, d.origin_id, d.contact_id, e.kind, e.link, least(d.at + e.after, %(now)s), e.verdict, e.client
FROM (SELECT id, origin_id, contact_id, at, (uuid_hash_extended(id, 1) & 1023)::int AS r,
             (uuid_hash_extended(id, 2) & 65535)::int AS q
      FROM delivery_delivery WHERE origin_id = %(origin)s AND outcome = 'sent') d
CROSS JOIN LATERAL (SELECT make_interval(secs => 120 + q::float8 ^ 2 / 12000) AS first,
    CASE WHEN q %% 100 < 18 THEN 'proxy' WHEN q %% 100 < 60 THEN 'phone' ELSE 'desktop' END AS client) w
CROSS JOIN LATERAL (VALUES
    ('open', NULL::int, make_interval(secs => 2 + q %% 50), 'machine', 'scanner', q %% 1024 < 92),
    ('click', 0, make_interval(secs => 55), 'machine', 'scanner', q %% 1024 < 30),
    ('open', NULL, w.first, CASE w.client WHEN 'proxy' THEN 'unknown' ELSE 'human' END, w.client, r < 340),
    ('open', NULL, w.first + interval '5 hours', CASE w.client WHEN 'proxy' THEN 'unknown' ELSE 'human' END, w.client, r < 70),
    ('click', q %% %(links)s, w.first + interval '40 seconds', 'human', w.client, r < 75 AND %(links)s > 0)
) AS e(kind, link, after, verdict, client, happened)
WHERE e.happened
"""
FINISHED = """
UPDATE campaigns_campaign SET state = 'FINISHED', send_at = %(at)s, started_at = %(at)s, expanded_at = %(at)s,
    finished_at = %(at)s + interval '20 minutes', updated_at = %(at)s + interval '20 minutes',
    audience_size = (SELECT count(*) FROM delivery_delivery WHERE origin_id = %(origin)s)
WHERE id = %(origin)s
"""
# Whoever leaves a topic does so with the last mail on it, so that nobody is written to after they left.
UNSUBSCRIBES = """
INSERT INTO tracking_event (id, delivery_id, origin_id, contact_id, kind, at, verdict, client)
SELECT DISTINCT ON (l.contact_id, l.topic_id) gen_random_uuid(), d.id, d.origin_id, d.contact_id, 'unsubscribe',
    least(d.at + interval '3 hours', %(now)s), 'human', ''
FROM leaving l JOIN delivery_origin o ON o.topic_id = l.topic_id
JOIN delivery_delivery d ON d.origin_id = o.id AND d.contact_id = l.contact_id AND d.outcome = 'sent'
WHERE l.topic_id IS NOT NULL ORDER BY l.contact_id, l.topic_id, d.at DESC
"""
OPT_OUTS = """
INSERT INTO consent_ledgerentry (id, contact_id, topic_id, act, at, source, evidence, recorded_by_kind, recorded_by, double)
SELECT gen_random_uuid(), contact_id, topic_id, act, at, source, %(evidence)s, kind, '', false FROM (
    SELECT e.contact_id, o.topic_id, 'opt_out' AS act, e.at, 'one_click' AS source, 'patient' AS kind
    FROM tracking_event e JOIN delivery_origin o ON o.id = e.origin_id WHERE e.kind = 'unsubscribe'
    UNION ALL
    SELECT contact_id, NULL, 'opt_out_all', %(now)s, 'preferences', 'patient' FROM leaving
    WHERE topic_id IS NULL AND reason = 'unsubscribed'
) said ORDER BY at
"""
SUPPRESSIONS = """
INSERT INTO consent_suppression (id, address_hash, topic_id, reason, opted_out, note, at, release_note)
SELECT DISTINCT ON (l.address_hash, l.topic_id) gen_random_uuid(), l.address_hash, l.topic_id, l.reason,
    l.reason = 'unsubscribed', %(note)s, coalesce(e.at, %(now)s), %(release_note)s
FROM leaving l LEFT JOIN (
    SELECT e.contact_id, o.topic_id, e.at FROM tracking_event e JOIN delivery_origin o ON o.id = e.origin_id
    WHERE e.kind = 'unsubscribe') e ON e.contact_id = l.contact_id AND e.topic_id = l.topic_id
WHERE l.topic_id IS NULL OR e.contact_id IS NOT NULL
ORDER BY l.address_hash, l.topic_id, l.reason DESC
"""


def history(made: Ground, leaving: list[Leaving], size: int) -> None:
    """Deliveries and events of every campaign not yet finished, then who left because of them; one transaction."""
    from django.db import connection, transaction

    waiting = [campaign for campaign in made.campaigns if campaign.state != "FINISHED"]
    if not waiting:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off; SET LOCAL maintenance_work_mem = '512MB'")
        cursor.execute("SET LOCAL work_mem = '128MB'; SET CONSTRAINTS ALL IMMEDIATE")
        with _bare(cursor, "delivery_delivery", keep=("delivery_by_origin",)), _bare(cursor, "tracking_event"):
            for topic in made.topics:
                _topic(cursor, topic, [c for c in waiting if c.topic_id == topic.pk], made, size)
        _leave(cursor, leaving)


def _topic(cursor: Any, topic: Any, campaigns: list[Any], made: Ground, size: int) -> None:
    """All campaigns on one topic, each to a share of those who may get it."""
    from contacts.models import Contact

    first = Contact.objects.order_by("number").values_list("number", flat=True).first()
    cursor.execute("DROP TABLE IF EXISTS audience")
    cursor.execute(AUDIENCE, {"first": first, "needs": topic.requires_opt_in, "topic": topic.pk})
    cursor.execute("SELECT count(*) FROM audience")
    share = min(1.0, MESSAGES * size / len(made.campaigns) / max(1, cursor.fetchone()[0]))
    for campaign in campaigns:
        _send(cursor, campaign, made, share, salt=made.campaigns.index(campaign))


def _send(cursor: Any, campaign: Any, made: Ground, share: float, *, salt: int) -> None:
    from psycopg.types.json import Jsonb

    from core import clock
    from core.actors import SYSTEM
    from delivery.commands import open_origin
    from delivery.models import Origin
    from marketing.demo.clinic import morning

    version = campaign.template_version
    at: datetime = morning(DAYS_BETWEEN * (len(made.campaigns) - salt) + 2)
    with clock.set_to(at):
        origin = open_origin(
            campaign.pk, kind=Origin.Kind.CAMPAIGN, stream="marketing", purpose=version.purpose,
            message_class=version.message_class, topic_id=campaign.topic_id, template_version=version,
            sender=campaign.sender, tier=campaign.tier, approved_digest=bytes(version.digest), track_opens=True,
            track_clicks=True, by=SYSTEM,
        )  # fmt: skip
    Origin.objects.filter(pk=origin.pk).update(created_at=at, drained_at=at + timedelta(minutes=20))
    basis = {"version": str(version.pk), "topic": str(campaign.topic_id), "relay": str(made.relay.pk)}
    params: dict[str, Any] = {
        "origin": origin.pk, "at": at, "salt": salt, "share": share, "relay": made.relay.pk, "now": clock.now(),
        "decision": Jsonb({"policy": 1, "verdict": "allow", "reasons": [], "basis": basis}), "links": len(version.links),
    }  # fmt: skip
    cursor.execute(SESSIONS, params)
    params["sessions"] = [row[0] for row in cursor.fetchall()]
    for statement in (BATCHES, DELIVERIES, EVENTS_OF, FINISHED):
        cursor.execute(statement, params)
    print(f"  campaign {salt + 1} of {len(made.campaigns)}", flush=True)


def _sealed(model: Any, field: str, value: Any) -> Any:
    """As it stands in the column: one ciphertext for all rows that say the same."""
    from django.db import connection

    return model._meta.get_field(field).get_db_prep_save(value, connection)


def _leave(cursor: Any, leaving: list[Leaving]) -> None:
    from consent.models import LedgerEntry, Suppression
    from core import clock

    cursor.execute(
        "CREATE TEMP TABLE leaving (contact_id uuid, topic_id uuid, address_hash bytea, reason text) ON COMMIT DROP"
    )
    with cursor.copy("COPY leaving FROM STDIN") as copy:
        for one in leaving:
            copy.write_row((one.contact_id, one.topic_id, one.address_hash, one.reason))
    cursor.execute("ANALYZE leaving")
    params = {
        "now": clock.now() - timedelta(hours=30),
        "evidence": _sealed(LedgerEntry, "evidence", {}),
        "note": _sealed(Suppression, "note", ""),
        "release_note": _sealed(Suppression, "release_note", ""),
    }
    for statement in (UNSUBSCRIBES, OPT_OUTS, SUPPRESSIONS):
        cursor.execute(statement, params)


@contextmanager
def _bare(cursor: Any, table: str, keep: tuple[str, ...] = ()) -> Iterator[None]:
    """The table without indexes, keys and references while it is filled; all are made, and checked, anew at the end.

    Its CHECK constraints and triggers stay in force throughout.
    """
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('f', 'p', 'u') ORDER BY contype DESC",
        [table],
    )
    constraints = cursor.fetchall()
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexname <> ALL(%s)",
        [table, [*keep, *(name for name, _ in constraints)]],
    )
    indexes = cursor.fetchall()
    for name, _ in constraints:
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, definition in indexes:
        cursor.execute(definition)
    for name, definition in reversed(constraints):
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    cursor.execute(f"ANALYZE {table}")


def count_segments() -> None:
    """What the list of segments shows."""
    from core import clock
    from segments import queries
    from segments.models import Segment

    for segment in Segment.objects.filter(archived_at=None):
        count = queries.count(segment.rule)
        Segment.objects.filter(pk=segment.pk).update(last_count=count, counted_at=clock.now())
