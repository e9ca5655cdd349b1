"""What the tables of other people's packages hold (SEC-01). Ours say it themselves, as `DATA` on the model."""

from django.db.models import Model

from core.declarations import Declaration

THIRD_PARTY: dict[str, Declaration] = {
    "auth.Permission": Declaration(safe=("*",)),
    "auth.Group": Declaration(safe=("*",)),
    "auth.Group_permissions": Declaration(safe=("*",)),
    "contenttypes.ContentType": Declaration(safe=("*",)),
    # A signed-in browser: ids of a user and of a second factor; pages put nothing about patients there.
    "sessions.Session": Declaration(staff=("session_data",), safe=("*",)),
    # Who tried to sign in, from where: the workforce's own addresses and names.
    "axes.AccessAttempt": Declaration(
        staff=("username", "ip_address", "user_agent", "get_data", "post_data"), safe=("*",)
    ),
    "axes.AccessLog": Declaration(staff=("username", "ip_address", "user_agent"), safe=("*",)),
    "axes.AccessFailureLog": Declaration(staff=("username", "ip_address", "user_agent"), safe=("*",)),
    "axes.AccessAttemptExpiration": Declaration(safe=("*",)),
    # Passkeys: public keys only; the private halves never leave the staff's devices.
    "django_otp_webauthn.WebAuthnCredential": Declaration(staff=("user", "name", "credential_id"), safe=("*",)),
    "django_otp_webauthn.WebAuthnAttestation": Declaration(staff=("data", "client_data_json"), safe=("*",)),
    "django_otp_webauthn.WebAuthnUserHandle": Declaration(staff=("user", "handle_hex"), safe=("*",)),
}

#: Tables no model stands for, as "schema.table" with * for any ending, and what they hold.
UNMODELLED: dict[str, str] = {
    "public.django_migrations": "which migrations ran",
    "pgmq.meta": "names of queues",
    "pgmq.notify_insert_throttle": "names of queues and moments",
    "pgmq.topic_bindings": "names of queues",
    "pgmq.q_*": "waiting jobs: a task's name and its arguments, ids and enum values only",
    "pgmq.a_*": "archived jobs: the same",
}


def declaration_of(model: type[Model]) -> Declaration | None:
    """What this model's table holds; None: nobody has said."""
    own = getattr(model, "DATA", None)
    if isinstance(own, Declaration):
        return own
    return THIRD_PARTY.get(model._meta.label)
