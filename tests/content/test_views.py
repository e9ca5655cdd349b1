import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.policy import Role
from content.models import Template
from tests.accounts.factories import UserFactory, sign_in
from tests.content.factories import TemplateFactory, organization

pytestmark = pytest.mark.django_db
FIELDS = {
    "name": "Spring news",
    "subject": "News",
    "preheader": "",
    "html": "<p>{{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>stop</a></p>",
    "text": "",
    "purpose": "operations",
    "message_class": "commercial",
}


@pytest.fixture
def marketer(client: Client) -> Client:
    organization()
    sign_in(client, UserFactory(roles=[Role.MARKETER]))
    return client


def test_a_marketer_starts_from_a_ready_mail_and_sees_nothing_to_mend(marketer: Client) -> None:
    answer = marketer.post(reverse("content:new"), {"name": "Survey", "starter": "survey"}, follow=True)
    assert answer.status_code == 200
    assert "Nothing to mend" in answer.content.decode()
    assert Template.objects.get().name == "Survey"


def test_saving_by_itself_answers_with_the_findings(marketer: Client) -> None:
    template = TemplateFactory()
    url = reverse("content:save", args=[template.pk])
    answer = marketer.post(
        url, FIELDS | {"revision": 1, "html": "<p>{{ nonsense }}</p>"}, headers={"HX-Request": "true"}
    )
    assert "no merge tag called “nonsense”" in answer.content.decode()
    assert 'data-revision="2"' in answer.content.decode()


def test_an_overtaken_author_keeps_their_text_and_is_told(marketer: Client) -> None:
    template = TemplateFactory(revision=3)
    answer = marketer.post(reverse("content:save", args=[template.pk]), FIELDS | {"revision": 2, "subject": "Mine"})
    assert answer.status_code == 409
    assert "Somebody else saved" in answer.content.decode()
    assert "Mine" in answer.content.decode()
    template.refresh_from_db()
    assert template.subject != "Mine"


@pytest.mark.parametrize("persona", ["typical", "missing", "longest", "rtl", "markup", "nobody-i-know"])
@pytest.mark.parametrize("part", ["html", "text"])
def test_every_persona_previews_in_both_parts_without_scripts(marketer: Client, persona: str, part: str) -> None:
    template = TemplateFactory()
    answer = marketer.get(reverse("content:preview", args=[template.pk]), {"persona": persona, "part": part})
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "default-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_broken_draft_previews_as_words_for_its_author(marketer: Client) -> None:
    template = TemplateFactory(html="<p>{{ first_name</p>")
    answer = marketer.get(reverse("content:preview", args=[template.pk]))
    assert answer.status_code == 200
    assert "cannot be read" in answer.content.decode()


def test_the_list_costs_the_same_with_one_and_with_three(marketer: Client) -> None:
    counts = []
    for number in (1, 2):
        for _ in range(number):
            TemplateFactory()
        with CaptureQueriesContext(connection) as queries:
            assert marketer.get(reverse("content:list")).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_an_empty_list_says_what_to_do(marketer: Client) -> None:
    assert "Write the first one" in marketer.get(reverse("content:list")).content.decode()


def test_an_approver_reads_and_cannot_write(client: Client) -> None:
    organization()
    sign_in(client, UserFactory(roles=[Role.APPROVER]))
    template = TemplateFactory()
    page = client.get(reverse("content:detail", args=[template.pk])).content.decode()
    assert "Marketers can change it" in page
    assert client.post(reverse("content:save", args=[template.pk]), FIELDS).status_code == 403


def test_a_finding_leads_to_its_line_for_who_can_mend_it(marketer: Client) -> None:
    template = TemplateFactory(html="<p>\n</p>\n<p>{{ nonsense }}</p>")
    leads = 'data-part="html" data-line="3"'
    page = marketer.get(reverse("content:detail", args=[template.pk])).content.decode()
    assert leads in page
    fields = FIELDS | {"revision": 1, "html": template.html}
    saved = marketer.post(reverse("content:save", args=[template.pk]), fields, headers={"HX-Request": "true"})
    assert leads in saved.content.decode()
    sign_in(marketer, UserFactory(roles=[Role.APPROVER]))
    reading = marketer.get(reverse("content:detail", args=[template.pk])).content.decode()
    assert leads not in reading
    assert "html, line 3" in reading


def test_the_subject_is_read_at_once_and_what_the_mail_needs_is_not_called_optional(marketer: Client) -> None:
    template = TemplateFactory(subject="Hello {{ organization.name }}")
    page = marketer.get(reverse("content:detail", args=[template.pk])).content.decode()
    assert f'hx-get="{reverse("content:subject", args=[template.pk])}" hx-trigger="load,' in page
    subject = page[page.index('for="id_subject"') :]
    assert "needed for review" in subject[: subject.index("</label>")]
    body = page[page.index('for="id_html"') :]
    assert "needed for review" in body[: body.index("</label>")]
    assert "{{" not in page[page.index('id="subject"') : page.index("<iframe")]
