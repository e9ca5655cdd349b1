"""News from the door, sent on commit; they notify, they never decide."""

from django.dispatch import Signal

#: Every recipient of every batch of `origin_id` has an outcome. May be sent more than once.
origin_drained = Signal()
