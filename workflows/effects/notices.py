"""Leave word for the staff."""

from collections.abc import Sequence
from datetime import datetime

from core.actors import By
from workflows.effects.acts import Act, Applied
from workflows.ids import made_id
from workflows.language.definition import Tell
from workflows.models import Notice


def leave(acts: Sequence[Act], now: datetime, by: By) -> Applied:
    """One notice a person, for somebody or for everybody of a role."""
    rows = []
    for act in acts:
        assert isinstance(act.step, Tell)
        row, step = act.row, act.step
        rows.append(
            Notice(
                id=made_id("notice", row.id, row.visit), workflow_id=row.workflow_id, enrolment_id=row.id,
                contact_id=row.contact_id, user_id=step.user, role=step.role, text=step.text, at=now,
            )
        )  # fmt: skip
    Notice.objects.bulk_create(rows, ignore_conflicts=True)
    return Applied({row.enrolment_id: row.pk for row in rows}, {})
