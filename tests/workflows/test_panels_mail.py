"""What choosing a template brings along to a mail step."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.policy import Role
from content.models import Template
from core.purposes import MessageClass, Purpose
from tests.accounts.factories import UserFactory, sign_in
from tests.workflows.factories import linear, mail, make_draft
from workflows.language.checks import check
from workflows.language.definition import from_json

pytestmark = pytest.mark.django_db
NOWHERE = "01a20000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("message_class", MessageClass.values)
@pytest.mark.parametrize("purpose", [Purpose.TREATMENT, Purpose.MARKETING])
@pytest.mark.parametrize(
    "trigger", [{"kind": "manual"}, {"kind": "segment", "segment": NOWHERE}], ids=["hand", "segment"]
)
def test_a_template_never_brings_a_stream_that_the_checks_refuse(
    client: Client, message_class: str, purpose: str, trigger: dict[str, Any]
) -> None:
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    template = mail()["template"]
    Template.objects.update(message_class=message_class, purpose=purpose)
    workflow = make_draft(linear({"kind": "mail"}, trigger=trigger))
    typed = {"template": template, "sender": "", "topic": "", "stream": "marketing"}
    client.post(reverse("workflows:step_panel", args=[workflow.pk, "s1"]), typed)
    workflow.refresh_from_db()
    assert workflow.draft["steps"]["s1"]["template"] == template
    assert not [problem for problem in check(from_json(workflow.draft)) if problem.field == "stream"]
