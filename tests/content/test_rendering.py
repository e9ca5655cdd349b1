from uuid import uuid4

import pytest

from content import commands
from content.errors import MissingValue
from content.preview import all_personas, preview
from content.rendering import MessageLinks, compiled
from core.actors import SYSTEM
from tests.content.factories import GOOD_HTML, TemplateFactory, organization

pytestmark = pytest.mark.django_db
LINKS = MessageLinks("tok")


@pytest.fixture(autouse=True)
def _organization() -> None:
    organization()


def test_a_message_holds_the_person_the_address_and_the_way_out() -> None:
    version = commands.freeze(TemplateFactory(), by=SYSTEM)
    rendered = compiled(version.pk).render(uuid4(), {"first_name": "Ada <b>"}, LINKS)
    assert "Hello Ada &lt;b&gt;" in rendered.html
    assert "1 Elm Street" in rendered.html
    assert "/m/u/tok" in rendered.html
    assert "/m/u/tok" in rendered.text


def test_values_are_plain_in_the_text_part() -> None:
    version = commands.freeze(TemplateFactory(), by=SYSTEM)
    assert "Ada & Co" in compiled(version.pk).render(uuid4(), {"first_name": "Ada & Co"}, LINKS).text


def test_links_are_tracked_only_where_wanted() -> None:
    version = commands.freeze(TemplateFactory(), by=SYSTEM)
    plain = compiled(version.pk).render(uuid4(), {}, LINKS)
    tracked = compiled(version.pk).render(uuid4(), {}, MessageLinks("tok", track_opens=True, track_clicks=True))
    assert 'href="https://clinic.example/book"' in plain.html
    assert "/t/" not in plain.html
    assert "/t/c/tok/0" in tracked.html
    assert "/t/c/tok/0" in tracked.text
    assert "/t/o/tok.gif" in tracked.html
    assert "clinic.example/book" not in tracked.html


def test_a_missing_value_without_fallback_names_its_attribute() -> None:
    version = commands.freeze(TemplateFactory(html=GOOD_HTML.replace("|default('there')", "")), by=SYSTEM)
    with pytest.raises(MissingValue) as missing:
        compiled(version.pk).render(uuid4(), {}, LINKS)
    assert missing.value.key == "first_name"


def test_a_subject_stays_on_one_line() -> None:
    version = commands.freeze(TemplateFactory(subject="Hello {{ first_name }}"), by=SYSTEM)
    rendered = compiled(version.pk).render(uuid4(), {"first_name": "Ada\r\nBcc: x@example.com"}, LINKS)
    assert rendered.subject == "Hello Ada Bcc: x@example.com"


def test_what_is_rendered_is_bound_to_its_contact() -> None:
    version = commands.freeze(TemplateFactory(), by=SYSTEM)
    contact = uuid4()
    assert compiled(version.pk).render(contact, {}, LINKS).contact_id == contact


def test_every_persona_can_be_shown_or_says_why_not() -> None:
    template = TemplateFactory(html=GOOD_HTML.replace("</body>", "{{ last_name }}</body>"))
    shown = {persona.key: preview(template, persona) for persona in all_personas()}
    assert "last_name" in shown["missing"].problem
    assert shown["rtl"].rendered is not None
    assert "عبد الرحمن" in shown["rtl"].rendered.html
    assert "<b>Bobby" not in (shown["markup"].rendered.html if shown["markup"].rendered else "")
