"""One table, role × action: pages, API and tests read this and nothing else (SEC-04)."""

from django.db.models import TextChoices


class Role(TextChoices):
    ADMINISTRATOR = "administrator", "Administrator"
    MARKETER = "marketer", "Marketer"
    APPROVER = "approver", "Approver"
    COMPLIANCE = "compliance", "Compliance officer"
    ANALYST = "analyst", "Analyst"


class Action(TextChoices):
    """What may be done. An API scope is one of these, too."""

    CONTACTS_VIEW = "contacts.view", "See contacts, masked"
    CONTACTS_REVEAL = "contacts.reveal", "Reveal a contact's values, with a reason"
    CONTACTS_EDIT = "contacts.edit", "Add and edit contacts"
    CONTACTS_DELETE = "contacts.delete", "Delete contacts"
    CONTACTS_IMPORT = "contacts.import", "Import files"
    ATTRIBUTES_MANAGE = "attributes.manage", "Define attributes"
    SENSITIVITY_LOWER = "sensitivity.lower", "Approve that an attribute or an event counts as less sensitive"
    CONSENT_VIEW = "consent.view", "See consents"
    CONSENT_RECORD = "consent.record", "Record consents and opt-outs"
    CONSENT_EXPORT = "consent.export", "Export consents"
    TOPICS_MANAGE = "topics.manage", "Define topics"
    SUPPRESSION_MANAGE = "suppression.manage", "Suppress and release addresses"
    SEGMENTS_VIEW = "segments.view", "See segments and counts"
    SEGMENTS_EDIT = "segments.edit", "Build segments"
    EXPORTS_VIEW = "exports.view", "See exports of people and who approved them"
    EXPORTS_REQUEST = "exports.request", "Ask for exports of people"
    EXPORTS_APPROVE = "exports.approve", "Approve exports others asked for"
    EXPORTS_DOWNLOAD = "exports.download", "Download approved exports they asked for"
    TEMPLATES_VIEW = "templates.view", "See templates"
    TEMPLATES_EDIT = "templates.edit", "Write templates"
    CAMPAIGNS_VIEW = "campaigns.view", "See campaigns and reports"
    CAMPAIGNS_EDIT = "campaigns.edit", "Prepare, test and submit campaigns"
    CAMPAIGNS_APPROVE = "campaigns.approve", "Approve campaigns of others"
    CAMPAIGNS_SEND = "campaigns.send", "Schedule, pause, resume and cancel campaigns"
    WORKFLOWS_NUMBERS = "workflows.numbers", "See journeys and how many are where"
    WORKFLOWS_VIEW = "workflows.view", "See who is where on journeys, and all about them"
    WORKFLOWS_EDIT = "workflows.edit", "Draw, simulate and propose journeys, declare events"
    WORKFLOWS_APPROVE = "workflows.approve", "Approve journeys of others"
    WORKFLOWS_RUN = "workflows.run", "Publish, pause, resume and stop journeys, move and retry people"
    WORKFLOWS_ENROL = "workflows.enrol", "Put people on journeys and take them off"
    EVENTS_SEND = "events.send", "Send events that journeys listen to"
    ENDPOINTS_MANAGE = "endpoints.manage", "Define where webhooks go"
    DELIVERY_VIEW = "delivery.view", "See relays, domains and their health"
    DELIVERY_MANAGE = "delivery.manage", "Configure relays, domains and senders"
    AUDIT_VIEW = "audit.view", "Read the trail"
    AUDIT_EXPORT = "audit.export", "Export the trail"
    STAFF_MANAGE = "staff.manage", "Manage staff and their roles"
    STAFF_RECOVER = "staff.recover", "Approve the reset of somebody's lost second factors"
    SETTINGS_MANAGE = "settings.manage", "Change organization settings"
    TOKENS_OWN = "tokens.own", "Create API tokens of their own"
    TOKENS_MANAGE = "tokens.manage", "See and revoke everybody's API tokens"
    SMALL_CELLS = "reports.small_cells", "See counts below 11"


A, M, P, C, N = Role.ADMINISTRATOR, Role.MARKETER, Role.APPROVER, Role.COMPLIANCE, Role.ANALYST

POLICY: dict[Action, frozenset[Role]] = {
    Action.CONTACTS_VIEW: frozenset({A, M, P, C}),
    Action.CONTACTS_REVEAL: frozenset({M, C}),
    Action.CONTACTS_EDIT: frozenset({A, M}),
    Action.CONTACTS_DELETE: frozenset({A, C}),
    Action.CONTACTS_IMPORT: frozenset({A, M}),
    Action.ATTRIBUTES_MANAGE: frozenset({A, M}),
    Action.SENSITIVITY_LOWER: frozenset({P, C}),
    Action.CONSENT_VIEW: frozenset({A, M, P, C}),
    Action.CONSENT_RECORD: frozenset({M, C}),
    Action.CONSENT_EXPORT: frozenset({C}),
    Action.TOPICS_MANAGE: frozenset({A, M, C}),
    Action.SUPPRESSION_MANAGE: frozenset({M, C}),
    Action.SEGMENTS_VIEW: frozenset({A, M, P, C, N}),
    Action.SEGMENTS_EDIT: frozenset({M}),
    Action.EXPORTS_VIEW: frozenset({M, P, C}),
    Action.EXPORTS_REQUEST: frozenset({M, C}),
    Action.EXPORTS_APPROVE: frozenset({P, C}),
    Action.EXPORTS_DOWNLOAD: frozenset({M, C}),
    Action.TEMPLATES_VIEW: frozenset({A, M, P, C}),
    Action.TEMPLATES_EDIT: frozenset({M}),
    Action.CAMPAIGNS_VIEW: frozenset({A, M, P, C, N}),
    Action.CAMPAIGNS_EDIT: frozenset({M}),
    Action.CAMPAIGNS_APPROVE: frozenset({P, C}),
    Action.CAMPAIGNS_SEND: frozenset({M, P}),
    Action.WORKFLOWS_NUMBERS: frozenset({A, M, P, C, N}),
    Action.WORKFLOWS_VIEW: frozenset({A, M, P, C}),
    Action.WORKFLOWS_EDIT: frozenset({M}),
    Action.WORKFLOWS_APPROVE: frozenset({P, C}),
    Action.WORKFLOWS_RUN: frozenset({M, P}),
    Action.WORKFLOWS_ENROL: frozenset({M}),
    Action.EVENTS_SEND: frozenset({A, M}),
    Action.ENDPOINTS_MANAGE: frozenset({A}),
    Action.DELIVERY_VIEW: frozenset({A, M, C}),
    Action.DELIVERY_MANAGE: frozenset({A}),
    Action.AUDIT_VIEW: frozenset({C}),
    Action.AUDIT_EXPORT: frozenset({C}),
    Action.STAFF_MANAGE: frozenset({A}),
    Action.STAFF_RECOVER: frozenset({A, C}),
    Action.SETTINGS_MANAGE: frozenset({A}),
    Action.TOKENS_OWN: frozenset({A, M, P, C}),
    Action.TOKENS_MANAGE: frozenset({A}),
    Action.SMALL_CELLS: frozenset({A, M, P, C}),
}


def allowed(roles: "list[str] | tuple[str, ...]", action: Action) -> bool:
    """Whether any of these roles may do it."""
    return any(Role(role) in POLICY[action] for role in roles)
