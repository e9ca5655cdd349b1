"""What changes what we may do. Every withdrawal here waits for senders and then binds them (contacts.locks)."""

from consent.commands.acts import (
    allow_counting,
    confirm_address,
    confirm_opt_in,
    give_special_consent,
    opt_in,
    opt_out,
    request_opt_in,
    revoke_special_consent,
    save_preferences,
    say,
)
from consent.commands.authorizations import authorize, revoke_authorization
from consent.commands.exports import finish_export, start_export
from consent.commands.many import record_import, record_many, undo_import
from consent.commands.suppression import release, suppress, suppress_many
from consent.commands.topics import create_topic, edit_topic, remove_topic
from consent.ledger import NewAct

__all__ = [
    "NewAct",
    "allow_counting",
    "authorize",
    "confirm_address",
    "confirm_opt_in",
    "create_topic",
    "edit_topic",
    "finish_export",
    "give_special_consent",
    "opt_in",
    "opt_out",
    "record_import",
    "record_many",
    "release",
    "remove_topic",
    "request_opt_in",
    "revoke_authorization",
    "revoke_special_consent",
    "save_preferences",
    "say",
    "start_export",
    "suppress",
    "suppress_many",
    "undo_import",
]
