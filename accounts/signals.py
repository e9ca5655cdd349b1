"""News from accounts, sent on commit."""

from django.dispatch import Signal

#: A person was disabled (`user_id`): whatever runs in their name must stop (SEC-03).
staff_disabled = Signal()
