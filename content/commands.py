"""Write templates and freeze them into versions."""

from typing import Any

from django.db import transaction

from accounts.queries import person_of
from audit.commands import record
from content import queries
from content.errors import TemplateArchived, TemplateBroken, TemplateChanged, TemplateHasErrors
from content.models import Template, TemplateVersion
from core import clock
from core.actors import By

FIELDS = ("name", "subject", "preheader", "html", "text", "purpose", "message_class", "remunerated")


@transaction.atomic
def create_template(*, by: By, starter: bool = False, **fields: Any) -> Template:
    """A new template with any of FIELDS."""
    template = Template.objects.create(
        created_by=person_of(by), starter=starter, **{key: fields[key] for key in fields}
    )
    record("template.created", by=by, target=template)
    return template


@transaction.atomic
def save_template(template: Template, *, by: By, revision: int | None = None, **fields: Any) -> Template:
    """Change a draft. `revision`: the one the author saw; if somebody saved since, nothing is overwritten."""
    template = Template.objects.select_for_update().get(pk=template.pk)
    if template.archived_at:
        raise TemplateArchived("This template is archived. Duplicate it to go on working.")
    if revision is not None and revision != template.revision:
        raise TemplateChanged("Somebody else saved this template meanwhile. Copy your text, reload, and merge the two.")
    changed = [name for name in FIELDS if name in fields and getattr(template, name) != fields[name]]
    if not changed:
        return template
    for name in changed:
        setattr(template, name, fields[name])
    template.revision += 1
    person = person_of(by)
    if person and person not in template.editors:
        template.editors.append(person)
    template.save()
    record("template.saved", by=by, target=template, revision=template.revision, fields=changed)
    return template


@transaction.atomic
def freeze(template: Template, *, by: By) -> TemplateVersion:
    """The immutable version of the template as it stands; the last one again if nothing changed.

    Raises TemplateHasErrors where the lint finds errors.
    """
    template = Template.objects.select_for_update().get(pk=template.pk)
    errors = [finding for finding in queries.findings_for(template) if finding.level == "error"]
    if errors:
        raise TemplateHasErrors(f"The template has {len(errors)} error(s): {errors[0].message}")
    try:
        version = queries.build_version(template)
    except TemplateBroken as broken:
        raise TemplateHasErrors(str(broken)) from None
    last = template.versions.first()
    if last is not None and bytes(last.digest) == bytes(version.digest):
        return last
    version.number = last.number + 1 if last else 1
    version.created_by = person_of(by)
    version.written_by = template.editors
    version.save(force_insert=True)
    Template.objects.filter(pk=template.pk).update(editors=[])
    record("template.frozen", by=by, target=version, number=version.number)
    return version


@transaction.atomic
def duplicate(template: Template, *, by: By, name: str) -> Template:
    fields = {key: getattr(template, key) for key in FIELDS if key != "name"}
    return create_template(by=by, name=name, **fields)


@transaction.atomic
def archive(template: Template, *, by: By) -> None:
    """Take a template out of the lists; its versions stay, since mails point at them."""
    Template.objects.filter(pk=template.pk).update(archived_at=clock.now())
    record("template.archived", by=by, target=template)
