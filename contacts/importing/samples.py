"""Masked examples and counted reasons, kept while an import is taken, for its page."""

from collections import Counter
from collections.abc import Mapping

from contacts.mapping import Batch
from contacts.models import Attribute, Import
from contacts.records import Record
from contacts.upsert import Plan
from contacts.values import display, masked

#: Rows of each sample.
SAMPLE = 12
Live = Mapping[str, Attribute]


def note(owner: Import, batch: Batch, planned: Plan, live: Live) -> None:
    """Add this chunk's refusals and examples to `owner.problems`."""
    problems = dict(owner.problems)
    reasons = Counter(problems.get("reasons", {}))
    reasons.update(_class_of(reason) for reason in batch.refused.values())
    problems["reasons"] = dict(reasons.most_common(50))
    changes, addresses = list(problems.get("changes", [])), list(problems.get("addresses", []))
    for change in planned.changes:
        if change.known is None:
            continue
        old, new, line = change.known.record, change.record, batch.lines[change.position]
        if len(changes) < SAMPLE:
            changes.append([line, who(old, live), differences(old, new, live)])
        if change.address_changes and len(addresses) < SAMPLE:
            email = live["email"]
            addresses.append([line, who(old, live), masked(email, old.email), masked(email, new.email)])
    owner.problems = {**problems, "changes": changes, "addresses": addresses}


def who(record: Record, live: Live) -> str:
    """A person one knows can be told by this; a stranger learns nothing."""
    shown = [masked(live[key], record.values.get(key)) for key in ("external_id", "first_name", "last_name")]
    return " ".join(text for text in shown if text)


def _class_of(reason: str) -> str:
    """A reason without its line number, so that equal ones can be counted."""
    return " ".join("…" if word.rstrip(",").isdigit() else word for word in reason.split())


def differences(old: Record, new: Record, live: Live) -> list[list[str]]:
    """[label, before, after] of each attribute that changes, masked unless public."""
    changed = []
    for key, attribute in live.items():
        if old.values.get(key) != new.values.get(key):
            show = display if attribute.sensitivity == "public" else masked
            changed.append([attribute.label, *(show(attribute, r.values.get(key)) for r in (old, new))])
        if old.coded.get(key) != new.coded.get(key):
            changed.append([attribute.label, *(f"{len(r.coded.get(key, []))} entries" for r in (old, new))])
    return changed
