"""Reading templates: lists, drafts as the lint sees them, versions not yet saved."""

import hashlib
import json

from django.conf import settings
from django.db.models import Count, QuerySet

from contacts.models import Attribute
from content import html, lint, tags
from content.errors import TemplateBroken
from content.models import Template, TemplateVersion
from core.models import Organization
from core.sensitivity import Sensitivity, highest


def templates() -> "QuerySet[Template]":
    """Live templates, newest first, with how many versions each has."""
    return Template.objects.filter(archived_at=None).annotate(version_count=Count("versions")).order_by("-updated_at")


def known_attributes() -> dict[str, lint.Known]:
    return {
        attribute.key: lint.Known(attribute.label, attribute.sensitivity, attribute.removed_at is not None)
        for attribute in Attribute.objects.all()
    }


def draft_of(template: Template) -> lint.Draft:
    return lint.Draft(
        template.subject,
        template.preheader,
        template.html,
        template.text,
        template.purpose,
        template.message_class,
    )


def findings_for(template: Template) -> list[lint.Finding]:
    """What the lint says of the template as it stands."""
    findings = lint.lint(
        draft_of(template),
        known_attributes(),
        own_host=settings.PUBLIC_URL,
        has_address=bool(Organization.current().postal_address.strip()),
    )
    if not any(finding.level == "error" for finding in findings):
        try:
            build_version(template)
        except TemplateBroken as broken:
            findings.insert(0, lint.Finding("error", "html", str(broken), broken.line))
    return findings


def organization_values() -> dict[str, str]:
    organization = Organization.current()
    return {
        "name": organization.name,
        "postal_address": organization.postal_address,
        "contact_email": organization.contact_email,
        "contact_phone": organization.contact_phone,
        "time_zone": organization.time_zone,
    }


def build_version(template: Template) -> TemplateVersion:
    """The version this template would freeze to, not saved. Raises TemplateBroken."""
    known = known_attributes()
    fields = lint.fields_used(draft_of(template))
    for key in fields:
        if key not in known:
            raise TemplateBroken(f"There is no merge tag called “{key}”.")
    compiled, links = html.compile_html(template.html, template.preheader)
    text = template.text or html.text_from(template.html)
    for number, link in sorted(enumerate(links), key=lambda pair: -len(pair[1])):
        text = text.replace(link, f"{{{{ _links[{number}] }}}}")
    version = TemplateVersion(
        template=template,
        subject=template.subject.strip(),
        preheader=template.preheader.strip(),
        html=template.html,
        text=text,
        purpose=template.purpose,
        message_class=template.message_class,
        remunerated=template.remunerated,
        compiled_html=compiled,
        links=links,
        fields_used=fields,
        tier=highest(Sensitivity.PUBLIC, *(known[key].sensitivity for key in fields)),
        organization=organization_values(),
    )
    version.digest = digest(version)
    return version


def tier_now(version: TemplateVersion) -> Sensitivity:
    """The tier a version's fields have today: raising an attribute's sensitivity reaches what was written before."""
    used = Attribute.objects.filter(key__in=version.fields_used).values_list("sensitivity", flat=True)
    return highest(version.tier, *used)


def digest(version: TemplateVersion) -> bytes:
    """SHA-256 over everything a reader or the law could care about in a version."""
    names = [
        "subject",
        "preheader",
        "html",
        "text",
        "purpose",
        "message_class",
        "remunerated",
        "compiled_html",
        "links",
        "fields_used",
        "tier",
        "organization",
    ]
    content = {name: getattr(version, name) for name in names}
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).digest()


def merge_tags() -> list[dict[str, str]]:
    """For the picker: what to insert, its label, its sensitivity."""
    own = [
        {"insert": f"{{{{ {a.key} }}}}", "label": a.label, "sensitivity": a.sensitivity, "kind": a.kind}
        for a in Attribute.objects.filter(removed_at=None)
    ]
    given = [
        {"insert": f"{{{{ organization.{part} }}}}", "label": f"Organization: {part.replace('_', ' ')}"}
        for part in tags.ORGANIZATION_PARTS
    ]
    links = [
        {"insert": f"{{{{ {key} }}}}", "label": tags.PROVIDED[key]} for key in ("unsubscribe_url", "preferences_url")
    ]
    return own + [{"sensitivity": "public", "kind": "text"} | item for item in given + links]
