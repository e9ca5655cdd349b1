"""News of this room. Signals notify; they never decide."""

from django.dispatch import Signal

#: `segment_id: UUID, entered: list[UUID], left: list[UUID]`, after commit, at most 1,000 ids a time: people who are in
#: a segment now and were not when it was looked at last, and the reverse. People deleted meanwhile are not among them.
membership_changed = Signal()
#: `uses: list[Use]`, asked by who shows where a segment is used; each receiver answers
#: {used_by: (name, address of its page)} for those it knows.
users_wanted = Signal()
