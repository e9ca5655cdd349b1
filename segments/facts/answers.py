"""What is known of some subjects, now or as of a moment: what their files hold, and what came since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from segments.facts import files, source
from segments.facts.files import Head, Held
from segments.facts.rows import Subject
from segments.facts.source import Found, Span
from segments.store.memory import memory


@dataclass(frozen=True, slots=True)
class Facts:
    """Of a subject without a file (or with none that is of use) `found` is all there is."""

    heads: Mapping[Subject, Head]
    found: Mapping[Subject, Found]
    opened: dict[Subject, Held] = field(default_factory=dict)

    def open(self, wanted: Iterable[Subject]) -> None:
        """Have ready what these files hold, from memory or in one statement. Raises files.Moved."""
        missing = []
        for subject in wanted:
            if (head := self.heads.get(subject)) is None or subject in self.opened:
                continue
            if (known := memory.peek(head.key)) is None:
                missing.append(head)
            else:
                self.opened[subject] = known
        if missing:
            for subject, held in files.opened(missing).items():
                memory.put(self.heads[subject].key, held, held.size)
                self.opened[subject] = held


def of(subjects: Sequence[Subject], until: datetime | None, *, by_files: bool) -> Facts:
    """What there is at or before `until` (None: all)."""
    heads = files.heads({kind for kind, _ in subjects}, {about for _, about in subjects}) if by_files else {}
    # A file with anything later than asked for is of no use: a later click may have made a machine's of an earlier one.
    usable = {
        subject: head
        for subject in subjects
        if (head := heads.get(subject)) and (until is None or head.last_at is None or head.last_at <= until)
    }
    known = {subject: usable[subject].known if subject in usable else source.NONE for subject in subjects}
    return Facts(usable, source.read(Span(known, until)))


def later(facts: Facts, subject: Subject, kind: type[Any]) -> Any:
    """What came after the subject's file, if it is of this type; None if nothing did."""
    found = facts.found.get(subject)
    return found.what if found is not None and isinstance(found.what, kind) else None
