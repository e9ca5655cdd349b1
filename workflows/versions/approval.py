"""What an approval of a journey covers: exactly this graph, these frozen mails, these rules with the segments in them,
and what becomes of the people inside (SND-08)."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from content.models import TemplateVersion
from content.queries import tier_now
from core.sensitivity import Sensitivity, highest
from phi.keyring import keyring
from segments import queries as segments
from segments.models import Segment
from segments.tree import VERSION
from workflows.language import tiers
from workflows.language.definition import BySegment, Definition, SegmentLeft, from_json
from workflows.language.naming import rules_of
from workflows.models import WorkflowVersion


def needs_second(tier: str) -> bool:
    """Whether a second person has to approve a version of this tier (SND-08)."""
    return Sensitivity(tier).rank >= Sensitivity.PHI.rank


def within(definition: Definition) -> dict[UUID, Any]:
    """The rules of the segments it relies on: that let in, take out or sort. Of a list only that it is one: who is on
    it changes from day to day, and by the journey itself."""
    named = [way.segment for way in definition.exits if isinstance(way, SegmentLeft)]
    if isinstance(definition.trigger, BySegment):
        named.append(definition.trigger.segment)
    found: dict[UUID, Any] = {}
    for rule in (*rules_of(definition), *({"all": [{"segment": str(one), "op": "in"}]} for one in named)):
        found |= segments.referred(rule if "version" in rule else {"version": VERSION, "root": rule})
    return {segment: what if isinstance(what, dict) else "list" for segment, what in found.items()}


def digest(definition: Any, plan: Any, mails: Mapping[str, TemplateVersion], relied_on: Mapping[UUID, Any]) -> bytes:
    """HMAC-SHA-256 of what was proposed, under a key the database has not: a rule is short enough to guess.

    `definition`, `plan`: JSON. `mails`: frozen content by step. `relied_on`: `within`.
    """
    covered = {
        "definition": definition,
        "plan": plan,
        "mails": {step: bytes(version.digest).hex() for step, version in mails.items()},
        "within": {str(segment): what for segment, what in relied_on.items()},
    }
    text = json.dumps(covered, sort_keys=True).encode()
    return hmac.new(keyring().secret("workflows:approval"), text, hashlib.sha256).digest()


def digest_now(version: WorkflowVersion, definition: Definition) -> bytes:
    """The digest of a version with the segments its rules name as they stand today."""
    mails = {mail.step: mail.template_version for mail in version.mails.select_related("template_version")}
    return digest(version.definition, version.plan, mails, within(definition))


def trouble(version: WorkflowVersion) -> str:
    """Why nobody may be taken further on a version: a code of workflows.troubles; "": nothing.

    What a second person approved is not what stands, or it is more sensitive by now than what was published.
    """
    definition = from_json(version.definition)
    mails = [mail.template_version for mail in version.mails.select_related("template_version")]
    now = highest(tiers.tier_of(definition), *(tier_now(mail) for mail in mails))
    if now.rank > Sensitivity(version.tier).rank:
        return "tier_raised"
    changed = needs_second(version.tier) and digest_now(version, definition) != bytes(version.digest)
    return "approval_outdated" if changed else ""


def hands(version: WorkflowVersion, definition: Definition) -> set[UUID]:
    """Everybody with a hand in it: the graph, its mails, the segments its rules name."""
    found = {*version.written_by, version.proposed_by}
    for mail in version.mails.select_related("template_version"):
        found |= set(mail.template_version.written_by)
    named = within(definition)
    found |= set(Segment.objects.filter(pk__in=named).values_list("saved_by", flat=True)) if named else set()
    return {person for person in found if person}
