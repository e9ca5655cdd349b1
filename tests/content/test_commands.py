import pytest
from django.db import IntegrityError, transaction

from audit.models import Entry
from content import commands, queries
from content.errors import TemplateArchived, TemplateChanged, TemplateHasErrors
from content.models import TemplateVersion
from core.actors import SYSTEM
from tests.content.factories import TemplateFactory, organization

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _organization() -> None:
    organization()


def test_freezing_twice_gives_one_version() -> None:
    template = TemplateFactory()
    assert commands.freeze(template, by=SYSTEM) == commands.freeze(template, by=SYSTEM)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "Other"),
        ("preheader", "Other"),
        ("html", "<p>{{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>x</a></p>"),
        ("text", "{{ organization.postal_address }} {{ unsubscribe_url }}"),
        ("purpose", "treatment"),
        ("remunerated", True),
    ],
)
def test_any_change_makes_a_new_version_with_another_digest(field: str, value: object) -> None:
    template = TemplateFactory()
    first = commands.freeze(template, by=SYSTEM)
    commands.save_template(template, by=SYSTEM, **{field: value})
    second = commands.freeze(template, by=SYSTEM)
    assert second.number == 2
    assert bytes(second.digest) != bytes(first.digest)


def test_another_postal_address_is_another_version() -> None:
    template = TemplateFactory()
    commands.freeze(template, by=SYSTEM)
    organization(postal_address="2 Oak Street, Springfield")
    assert commands.freeze(template, by=SYSTEM).number == 2


def test_a_template_with_errors_is_not_frozen() -> None:
    template = TemplateFactory(html="<p>{{ nonsense }}</p>")
    with pytest.raises(TemplateHasErrors, match="nonsense"):
        commands.freeze(template, by=SYSTEM)
    assert not TemplateVersion.objects.exists()


def test_a_version_cannot_be_changed() -> None:
    version = commands.freeze(TemplateFactory(), by=SYSTEM)
    with pytest.raises(IntegrityError), transaction.atomic():
        TemplateVersion.objects.filter(pk=version.pk).update(subject="Other")


def test_the_second_of_two_authors_is_told_and_overwrites_nothing() -> None:
    template = TemplateFactory()
    commands.save_template(template, by=SYSTEM, revision=1, subject="First")
    with pytest.raises(TemplateChanged):
        commands.save_template(template, by=SYSTEM, revision=1, subject="Second")
    template.refresh_from_db()
    assert template.subject == "First"


def test_an_archived_template_takes_no_changes() -> None:
    template = TemplateFactory()
    commands.archive(template, by=SYSTEM)
    with pytest.raises(TemplateArchived):
        commands.save_template(template, by=SYSTEM, subject="Other")
    assert template not in queries.templates()


def test_saving_nothing_new_leaves_no_trace() -> None:
    template = TemplateFactory()
    commands.save_template(template, by=SYSTEM, subject=template.subject)
    assert not Entry.objects.filter(action="template.saved").exists()


def test_links_are_fixed_in_the_version() -> None:
    version = commands.freeze(TemplateFactory(), by=SYSTEM)
    assert version.links == ["https://clinic.example/book"]
    assert "clinic.example" not in version.compiled_html
    assert "clinic.example" not in version.text
