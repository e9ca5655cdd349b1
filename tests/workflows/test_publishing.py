"""What is published stands: frozen mails, origins, a second person where it is about health."""

import pytest

from delivery.models import Origin
from tests.workflows.factories import end, linear, live, mail, make_workflow, wait
from workflows.models import Workflow

pytestmark = pytest.mark.django_db


def test_a_published_journey_is_live_with_its_mails_frozen() -> None:
    workflow = make_workflow(linear(mail(), wait(days=2), mail(), end()))
    version = live(workflow)
    assert (workflow.state, version.number) == (Workflow.State.ACTIVE, 1)
    assert set(version.mails.values_list("step", flat=True)) == {"s1", "s3"}
    assert Origin.objects.filter(pk__in=version.mails.values("pk"), kind="workflow", state="OPEN").count() == 2
