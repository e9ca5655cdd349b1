import factory
from factory.django import DjangoModelFactory

from content.models import Template
from core.models import Organization
from core.purposes import MessageClass, Purpose

GOOD_HTML = (
    "<html><body><h1>Hello {{ first_name|default('there') }}</h1>"
    "<p><a href='https://clinic.example/book'>Book a time</a></p>"
    "<p>{{ organization.postal_address }} <a href='{{ unsubscribe_url }}'>Stop</a></p></body></html>"
)


class TemplateFactory(DjangoModelFactory[Template]):
    class Meta:
        model = Template

    name = factory.Sequence(lambda n: f"Template {n}")
    subject = "News from the clinic"
    preheader = "A short line"
    html = GOOD_HTML
    purpose = Purpose.OPERATIONS
    message_class = MessageClass.COMMERCIAL


def organization(**fields: str) -> Organization:
    """The one organization, with all that commercial mail needs."""
    row = Organization.current()
    known = {"name": "Elm Street Clinic", "postal_address": "1 Elm Street, Springfield"}
    for key, value in (known | fields).items():
        setattr(row, key, value)
    row.save()
    return row
