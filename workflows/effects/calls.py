"""Note which systems are to be told; jobs do the telling, after the engine's transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection

from core.actors import By
from core.jobs import enqueue
from workflows.effects.acts import Act, Applied
from workflows.ids import made_id
from workflows.language.definition import Webhook
from workflows.models import Endpoint

#: A visit makes one call. Handed over again it is the same one, tried anew only where it had failed for good.
_MAKE = """
INSERT INTO workflows_call (id, endpoint_id, enrolment_id, visit, step, contact_id, attributes, state, attempts,
    due_at, trouble, at)
SELECT n.id, n.endpoint, n.enrolment, n.visit, n.step, n.contact, string_to_array(n.attributes, ','), 'waiting', 0,
    %s, '', %s
FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::int[], %s::text[], %s::uuid[], %s::text[])
    AS n(id, endpoint, enrolment, visit, step, contact, attributes)
ON CONFLICT (id) DO UPDATE SET state = 'waiting', attempts = 0, due_at = excluded.due_at, trouble = '',
    status_code = NULL WHERE workflows_call.state = 'failed'
"""


def make(acts: Sequence[Act], now: datetime, by: By) -> Applied:
    """One row a call and one job an endpoint."""
    wanted = {act.step.endpoint for act in acts if isinstance(act.step, Webhook) and act.step.endpoint}
    known = set(Endpoint.objects.filter(pk__in=wanted, removed_at=None).values_list("pk", flat=True))
    made: dict[int, UUID] = {}
    trouble: dict[int, str] = {}
    rows = []
    for act in acts:
        assert isinstance(act.step, Webhook)
        row, endpoint = act.row, act.step.endpoint
        if endpoint not in known:
            trouble[row.id] = "endpoint_gone"
            continue
        made[row.id] = made_id("call", row.id, row.visit)
        keys = ",".join(act.step.attributes)  # keys are slugs
        rows.append((made[row.id], endpoint, row.id, row.visit, act.step_id, row.contact_id, keys))
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_MAKE, [now, now, *map(list, zip(*rows, strict=True))])
    for pk in sorted({str(row[1]) for row in rows}):
        enqueue("workflows.call", pk)
    return Applied(made, trouble)
