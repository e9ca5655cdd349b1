"""The mail that asks somebody to confirm (double opt-in): built in, neutral, without a word about health or lists."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import consent.links
from content import queries, sandbox
from content.models import Template, TemplateVersion
from content.rendering import MessageLinks, Rendered
from core import clock
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity

#: The one row that stands for it; archived, so that no list of templates shows it.
TEMPLATE_ID = UUID("0c0f14a7-0000-7000-8000-000000000001")

SUBJECT = "Please confirm your email address"
TEXT = """Hello,

somebody, probably you, asked {{ organization.name }} to write to this email address.

If it was you, please confirm here:
{{ confirm_url }}

If it was not you, do nothing. We will not write again because of it.

{{ organization.name }}
{{ organization.postal_address }}
"""
HTML = """<!doctype html>
<html lang="en"><body style="margin:0;padding:24px;font-family:sans-serif;font-size:16px;line-height:1.5;color:#1a1a1a">
<p>Hello,</p>
<p>somebody, probably you, asked {{ organization.name }} to write to this email address.</p>
<p><a href="{{ confirm_url }}" style="display:inline-block;padding:12px 20px;background:#0b5cad;color:#ffffff;\
text-decoration:none;border-radius:6px">Yes, that is my address</a></p>
<p>If it was not you, do nothing. We will not write again because of it.</p>
<p>{{ organization.name }}<br>{{ organization.postal_address }}</p>
</body></html>
"""


class Confirmation:
    """Renders the built-in mail; the link names the ledger row that asks, which is the origin's id."""

    fields_used: tuple[str, ...] = ()

    def __init__(self, version: TemplateVersion, request_id: UUID) -> None:
        self._request_id = request_id
        self._organization: dict[str, str] = version.organization
        self._subject = version.subject
        self._html = sandbox.compile_source(version.compiled_html, sandbox.HTML)
        self._text = sandbox.compile_source(version.text, sandbox.TEXT)

    def render(self, contact_id: UUID, values: Mapping[str, Any], links: MessageLinks) -> Rendered:
        context = {"organization": self._organization, "confirm_url": consent.links.confirm_url(self._request_id)}
        return Rendered(contact_id, self._subject, self._html(context), self._text(context))


def version() -> TemplateVersion:
    """The version to send now; a new one where the organization's name or address has changed. In a transaction."""
    template, _ = Template.objects.get_or_create(
        pk=TEMPLATE_ID,
        defaults={
            "name": "Confirm address (built in)",
            "subject": SUBJECT,
            "purpose": Purpose.OPERATIONS,
            "message_class": MessageClass.TRANSACTIONAL,
            "archived_at": clock.now(),
        },
    )
    made = TemplateVersion(
        template=template,
        subject=SUBJECT,
        html=HTML,
        text=TEXT,
        compiled_html=HTML,
        purpose=Purpose.OPERATIONS,
        message_class=MessageClass.TRANSACTIONAL,
        tier=Sensitivity.IDENTITY,
        organization=queries.organization_values(),
    )
    made.digest = queries.digest(made)
    Template.objects.select_for_update().get(pk=TEMPLATE_ID)
    last = template.versions.first()
    if last is not None and bytes(last.digest) == made.digest:
        return last
    made.number = last.number + 1 if last else 1
    made.save(force_insert=True)
    return made
