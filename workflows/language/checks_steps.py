"""What is wrong with one step by itself, and with how its parts go together: one function a kind."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from accounts.policy import Action, Role, allowed
from contacts.models import Kind
from core.purposes import MessageClass, Purpose
from core.sensitivity import Sensitivity
from workflows.errors import Problem
from workflows.language import definition as d
from workflows.language import graph, tiers
from workflows.language.checks_parts import (
    TIME,
    attribute_problems,
    change_problems,
    event_problems,
    key_problems,
    moment_problems,
    property_problems,
    rule_problems,
    segment_problems,
    span_problems,
    topic_problems,
    value_problem,
)
from workflows.language.names import Mailable, Names
from workflows.models import Workflow

#: Which kinds of attribute take a property of an event.
_TAKES = {
    "text": (Kind.TEXT, Kind.CHOICE),
    "number": (Kind.NUMBER,),
    "yes_no": (Kind.BOOLEAN,),
    "date": (Kind.DATE,),
    "datetime": (Kind.DATETIME,),
}
#: Triggers that are about the person's own affair, so that a transactional mail may follow (15 USC 7702(17)).
OWN_AFFAIR = (d.ByEvent, d.ByDate, d.ByConsent, d.ByHand)
SELLS = (Purpose.MARKETING, Purpose.FUNDRAISING)
#: What no journey sets: who somebody is to us.
NEVER_SET = ("email", "external_id")


def problems(  # noqa: PLR0911, PLR0912  one case a kind
    definition: d.Definition, names: Names, step: str, node: d.AnyStep, workflow: Workflow | None
) -> Iterator[Problem]:
    match node:
        case d.Mail():
            return _mail(definition, names, step, node)
        case d.Wait():
            return span_problems(step, "span", node.span)
        case d.WaitUntil():
            return moment_problems(step, "moment", node.moment, definition.trigger, names)
        case d.WaitWeekday():
            return _weekday(step, node)
        case d.WaitEvent():
            return _wait_event(definition, names, step, node)
        case d.Branch():
            return (
                problem
                for n, case in enumerate(node.cases)
                for problem in rule_problems(step, f"cases[{n}]", case.rule, names)
            )
        case d.BranchMail():
            return _branch_mail(definition, step, node)
        case d.SetAttribute():
            return _set_attribute(definition, names, step, node)
        case d.ChangeList():
            return _list(step, node, names)
        case d.Webhook():
            return _webhook(step, node, names)
        case d.Tell():
            return _tell(step, node, names)
        case d.Enter():
            return _enter(step, node, names, workflow)
        case d.Goal():
            return rule_problems(step, "rule", node.rule, names)
    return iter(())


def _mail(definition: d.Definition, names: Names, step: str, node: d.Mail) -> Iterator[Problem]:
    template = names.templates.get(node.template) if node.template else None
    if node.template is None:
        yield Problem(step, "template", "Choose a template.")
    elif template is None:
        yield Problem(step, "template", "There is no such template. Choose another one.")
    elif template.archived:
        yield Problem(step, "template", f"The template “{template.name}” is archived. Choose another one.")
    if node.sender is None:
        yield Problem(step, "sender", "Choose a sender.")
    elif node.sender not in names.senders:
        yield Problem(step, "sender", "There is no such sender. Choose another one.")
    elif not names.senders[node.sender].verified:
        text = "The sender's domain is not verified yet: until it is, every mail is refused."
        yield Problem(step, "sender", text, "warning")
    if node.topic is not None:
        yield from topic_problems(step, "topic", node.topic, names)
    if template is not None:
        yield from _kind_of_mail(definition, names, step, node, template)


def may_be_transactional(message_class: str, purpose: str, trigger: d.AnyTrigger) -> bool:
    """Whether such a mail of a journey that people enter so may go by the transactional stream."""
    return _is_transactional(message_class, purpose) and isinstance(trigger, OWN_AFFAIR)


def _is_transactional(message_class: str, purpose: str) -> bool:
    return message_class == MessageClass.TRANSACTIONAL and purpose not in SELLS


def _kind_of_mail(
    definition: d.Definition, names: Names, step: str, node: d.Mail, template: Mailable
) -> Iterator[Problem]:
    commercial = template.message_class == MessageClass.COMMERCIAL
    if (commercial or template.purpose in SELLS) and node.topic is None:
        yield Problem(step, "topic", "Commercial mail, marketing and fundraising need a topic that people can leave.")
    if node.stream == "transactional":
        if not _is_transactional(template.message_class, template.purpose):
            text = (
                "Only a template of the class “Transactional or relationship” that sells nothing goes by the "
                "transactional stream. Choose the marketing stream."
            )
            yield Problem(step, "stream", text)
        if not isinstance(definition.trigger, OWN_AFFAIR):
            text = (
                "A transactional mail answers something of the person's own: an event, a date, a consent, or a person "
                "put in by hand. What lets people in here is none of these."
            )
            yield Problem(step, "stream", text)
    if (node.track_opens or node.track_clicks) and tiers.tier_of(definition, names) == Sensitivity.SPECIAL:
        text = "Opens and clicks are not counted where a special category is involved (TRK-02). Switch both off."
        yield Problem(step, "track_opens", text)


def _weekday(step: str, node: d.WaitWeekday) -> Iterator[Problem]:
    if any(not 0 <= day <= 6 for day in node.weekdays) or len(set(node.weekdays)) < len(node.weekdays):
        yield Problem(step, "weekdays", "Weekdays are 0 (Monday) to 6 (Sunday), each once.")
    if not TIME.match(node.at):
        yield Problem(step, "at", "Give the time of day as 10:00.")


def _wait_event(definition: d.Definition, names: Names, step: str, node: d.WaitEvent) -> Iterator[Problem]:
    yield from span_problems(step, "timeout", node.timeout)
    if node.event and node.attribute:
        yield Problem(step, "event", "Wait for an event or for a change, not for both.")
    elif node.attribute:
        yield from change_problems(step, "", node.attribute, node, names)
    else:
        yield from event_problems(step, "event", node.event, names)
        if node.was or node.becomes:
            yield Problem(step, "becomes", "Values are for changes of an attribute.")
        if node.same_key and node.event:
            yield from key_problems(step, "same_key", definition.trigger)


def _branch_mail(definition: d.Definition, step: str, node: d.BranchMail) -> Iterator[Problem]:
    mail = definition.steps.get(node.mail)
    if not node.mail:
        yield Problem(step, "mail", "Choose which mail to ask about.")
    elif mail is None:
        yield Problem(step, "mail", "The mail this asks about is not there any more. Choose another one.")
    elif not isinstance(mail, d.Mail):
        yield Problem(step, "mail", "This asks about a step that sends no mail. Choose a mail.")
    else:
        if node.mail not in graph.before_step(graph.edges(definition), step):
            text = "The mail this asks about cannot come before it. Choose another one, or move this step behind it."
            yield Problem(step, "mail", text)
        if "opened" in node.cases and not (mail.track_opens or mail.track_clicks):
            yield Problem(step, "cases", "Opens of that mail are not counted. Switch counting on there.")
        if "clicked" in node.cases and not mail.track_clicks:
            yield Problem(step, "cases", "Clicks in that mail are not counted. Switch counting on there.")


def _set_attribute(definition: d.Definition, names: Names, step: str, node: d.SetAttribute) -> Iterator[Problem]:
    yield from attribute_problems(step, "attribute", node.attribute, names)
    if node.attribute in NEVER_SET:
        yield Problem(step, "attribute", "Who somebody is is not set by a journey. Choose another attribute.")
        return
    attribute = names.attributes.get(node.attribute)
    if attribute is None:
        return
    if node.property and node.value is not None:
        yield Problem(step, "value", "Set a value or a property of the event, not both.")
    if not node.property:
        if text := value_problem(node.attribute, node.value, names):
            yield Problem(step, "value", text)
        return
    kind = yield from property_problems(step, "property", node.property, definition.trigger, names)
    if attribute.kind == Kind.CODED:
        yield Problem(step, "attribute", f"“{attribute.label}” is a list of codes, not a single value.")
    elif kind and attribute.kind not in _TAKES[kind]:
        yield Problem(step, "property", f"“{attribute.label}” cannot have what “{node.property}” holds.")


def _list(step: str, node: d.ChangeList, names: Names) -> Iterator[Problem]:
    found = list(segment_problems(step, "segment", node.segment, names))
    yield from found
    if node.segment is not None and not found and node.segment not in names.lists:
        yield Problem(step, "segment", "This segment finds its people by a rule. Choose a list that is kept by hand.")


def _webhook(step: str, node: d.Webhook, names: Names) -> Iterator[Problem]:
    endpoint = names.endpoints.get(node.endpoint) if node.endpoint else None
    if node.endpoint is None:
        yield Problem(step, "endpoint", "Choose where the call goes.")
    elif endpoint is None:
        yield Problem(step, "endpoint", "This endpoint was removed. Choose another one.")
    elif node.attributes and not endpoint.agreement:
        text = (
            f"No agreement with “{endpoint.name}” is in force, so no values may go there. Have it recorded, or choose "
            "no values to send."
        )
        yield Problem(step, "attributes", text)
    for key in node.attributes:
        yield from attribute_problems(step, "attributes", key, names)
    yield from _once(step, "attributes", node.attributes)


def _once(step: str, place: str, keys: Sequence[str]) -> Iterator[Problem]:
    if len(set(keys)) < len(keys):
        yield Problem(step, place, "An attribute is named twice.")


def _tell(step: str, node: d.Tell, names: Names) -> Iterator[Problem]:
    if node.user is not None and node.role:
        yield Problem(step, "user", "Tell one person, or everybody of a role.")
    elif node.user is not None and node.user not in names.users:
        yield Problem(step, "user", "This person is not on staff any more. Choose another one.")
    elif node.user is None and not node.role:
        yield Problem(step, "user", "Choose whom to tell.")
    elif node.role and node.role not in list(Role):
        yield Problem(step, "role", f"There is no role “{node.role[:40]}”.")
    elif node.role and not allowed([node.role], Action.WORKFLOWS_VIEW):
        yield Problem(step, "role", "People of this role may not see who is on a journey. Choose another one.")
    if not node.text.strip():
        yield Problem(step, "text", "Say what they are to do.")


def _enter(step: str, node: d.Enter, names: Names, workflow: Workflow | None) -> Iterator[Problem]:
    if node.workflow is None:
        yield Problem(step, "workflow", "Choose which journey they enter.")
        return
    target = names.workflows.get(node.workflow)
    if workflow is not None and node.workflow == workflow.pk:
        yield Problem(step, "workflow", "This is the journey they are on already. Lead the way back to a step instead.")
    elif target is None or target.archived:
        yield Problem(step, "workflow", "There is no such journey any more. Choose another one.")
    elif target.state == Workflow.State.STOPPED:
        yield Problem(step, "workflow", f"“{target.name}” was stopped: nobody enters it. Choose another one.")
    elif not target.live:
        yield Problem(step, "workflow", f"“{target.name}” is not published yet. Publish it first.")
    elif _comes_back(node.workflow, names, workflow):
        yield Problem(step, "workflow", f"“{target.name}” leads back to this journey: people would go round for ever.")


def _comes_back(first: UUID, names: Names, workflow: Workflow | None) -> bool:
    if workflow is None:
        return False
    seen, waiting = {first}, [first]
    while waiting:
        journey = names.workflows.get(waiting.pop())
        for following in journey.enters if journey else ():
            if following == workflow.pk:
                return True
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return False
