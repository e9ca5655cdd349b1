"""How sensitive a journey is, and whether what lets people in justifies what its mails say (PRV-01, SND-08).

The table that this follows is in docs/workflows.md, "What a mail may say".
"""

from collections.abc import Iterator

from core.purposes import Purpose
from core.sensitivity import Sensitivity, highest
from segments import queries as segments
from segments.errors import RuleError
from segments.tree import VERSION, Node, TopicIs
from workflows.errors import Problem
from workflows.language import definition as d
from workflows.language import graph
from workflows.language.names import Mailable, Names

_PHI = Sensitivity.PHI.rank


def attribute_tier(key: str, names: Names) -> Sensitivity:
    """What is not known counts as health information."""
    found = names.attributes.get(key)
    return Sensitivity(found.sensitivity) if found else Sensitivity.PHI


def _event(name: str, names: Names) -> Sensitivity:
    found = names.event(name)
    return found.tier if found else Sensitivity.PHI


def rule_tier(raw: object, names: Names) -> Sensitivity:
    if raw is None:
        return Sensitivity.PUBLIC
    try:
        return segments.tier_of(names.rule(raw), names.catalog)
    except (RuleError, KeyError):
        return Sensitivity.PHI


def trigger_tier(trigger: d.AnyTrigger, names: Names) -> Sensitivity:  # noqa: PLR0911  one case a kind
    """How sensitive it is that this let somebody in."""
    match trigger:
        case d.BySegment():
            return segment_tier(trigger.segment, names)
        case d.ByAttribute():
            return attribute_tier(trigger.attribute, names)
        case d.ByDate():
            return attribute_tier(trigger.moment.attribute, names)
        case d.ByEvent():
            return _event(trigger.event, names)
        case d.BySent():
            mailing = names.catalog.mailings.get(trigger.mailing)
            return mailing.tier if mailing else Sensitivity.PHI
        case d.ByHand():
            return Sensitivity(trigger.chosen_by)
    return Sensitivity.IDENTITY


def let_in(definition: d.Definition, names: Names) -> Sensitivity:
    """How sensitive it is that somebody is on this journey: what lets in, and who may enter; at least identity."""
    return highest(Sensitivity.IDENTITY, trigger_tier(definition.trigger, names), rule_tier(definition.only, names))


def segment_tier(segment: object, names: Names) -> Sensitivity:
    """By what its rule asks today: the tier a segment was saved with may be of yesterday."""
    return rule_tier({"version": VERSION, "root": {"all": [{"segment": str(segment), "op": "in"}]}}, names)


def step_tier(step: d.AnyStep, names: Names) -> Sensitivity:
    """How sensitive what is that sorts people at this step."""
    match step:
        case d.Branch():
            return highest(Sensitivity.PUBLIC, *(rule_tier(case.rule, names) for case in step.cases))
        case d.Goal():
            return rule_tier(step.rule, names)
        case d.WaitUntil() if step.moment.attribute:
            return attribute_tier(step.moment.attribute, names)
        case d.WaitEvent():
            return attribute_tier(step.attribute, names) if step.attribute else _event(step.event, names)
    return Sensitivity.PUBLIC


def tier_of(definition: d.Definition, names: Names | None = None) -> Sensitivity:
    """The highest of what lets people in, sorts them, takes them out, and of what its mails say; at least identity."""
    names = names or Names.load(definition)
    return highest(Sensitivity.IDENTITY, *_tiers(definition, names))


def exit_tier(way: d.AnyExit, names: Names) -> Sensitivity:
    """How sensitive what is that takes people out by this exit."""
    match way:
        case d.SegmentLeft():
            return segment_tier(way.segment, names)
        case d.EventExit():
            return _event(way.event, names)
        case d.GoalExit():
            return rule_tier(way.rule, names)
    return Sensitivity.PUBLIC


def _tiers(definition: d.Definition, names: Names) -> Iterator[Sensitivity]:
    yield let_in(definition, names)
    for way in definition.exits:
        yield exit_tier(way, names)
    for step in definition.steps.values():
        yield step_tier(step, names)
        if isinstance(step, d.Mail) and (template := names.templates.get(step.template)):  # type: ignore[arg-type]
            yield template.tier


# -- whether a mail may say what it says ---------------------------------------------------------------------------


def problems(definition: d.Definition, names: Names) -> list[Problem]:
    """Mails whose content their way here does not justify."""
    found = graph.edges(definition)
    tiers = {step: step_tier(node, names) for step, node in definition.steps.items()}
    came_in = let_in(definition, names)
    reached = graph.reachable(definition)
    result: list[Problem] = []
    for step, node in definition.steps.items():
        if step not in reached:
            continue
        sorted_by = highest(came_in, *(tiers[before] for before in graph.before_step(found, step)))
        result += _kept(definition, names, step, node, sorted_by)
        template = names.templates.get(node.template) if isinstance(node, d.Mail) and node.template else None
        if template is None:
            continue
        result += _content(definition, names, step, template, came_in, tiers, found)
        assert isinstance(node, d.Mail)
        result += _purpose(definition, names, step, node, template, sorted_by)
    return result


def _content(  # noqa: PLR0917  what the caller knows already
    definition: d.Definition,
    names: Names,
    step: str,
    template: Mailable,
    came_in: Sensitivity,
    tiers: dict[str, Sensitivity],
    found: graph.Edges,
) -> Iterator[Problem]:
    """A mail says no more of somebody's health than what brought them there rests on."""
    if template.tier.rank < _PHI or came_in.rank >= template.tier.rank:
        return
    assert definition.start is not None
    bare = graph.reached_from(found, [definition.start], lambda s: tiers[s].rank < template.tier.rank)
    if step in bare:
        labels = ", ".join(names.attributes[key].label for key in template.fields)
        what = template.tier.label.lower()
        if isinstance(definition.trigger, d.ByHand):
            help_ = f"If people are put on this journey for it, say at its start that they are chosen by {what}"
        else:
            help_ = "Let people in by a segment, date or event about it"
        yield Problem(
            step,
            "template",
            f"This mail says {what} ({labels}), but nothing on the way here is about it: people would be told of their "
            f"health for no reason on record. {help_}, ask for it in “only” or a branch before, or choose a template "
            "without it.",
        )


def _kept(
    definition: d.Definition, names: Names, step: str, node: d.AnyStep, sorted_by: Sensitivity
) -> Iterator[Problem]:
    """What is written down of somebody counts as less than what it is made from, and would be handled as such."""
    match node:
        case d.SetAttribute() if node.attribute in names.attributes:
            place, kept = "attribute", attribute_tier(node.attribute, names)
        case d.ChangeList() if node.segment in names.lists:
            place, kept = "segment", segment_tier(node.segment, names)
        case _:
            return
    if isinstance(node, d.SetAttribute) and node.property and isinstance(definition.trigger, d.ByEvent):
        said = _event(definition.trigger.event, names)
        if said.rank >= _PHI and kept.rank < said.rank:
            text = (
                f"What the event says counts as {said.label.lower()}, and this attribute does not. Choose another one."
            )
            yield Problem(step, place, text)
            return
    if sorted_by.rank >= _PHI and kept.rank < sorted_by.rank:
        text = (
            f"What brings people here is {sorted_by.label.lower()}; what is kept here of them counts as "
            f"{kept.label.lower()}. If it tells the one from the other, let it count as that, too."
        )
        yield Problem(step, place, text, "warning")


def _purpose(  # noqa: PLR0917
    definition: d.Definition, names: Names, step: str, node: d.Mail, template: Mailable, sorted_by: Sensitivity
) -> Iterator[Problem]:
    basis = highest(sorted_by, template.tier)
    if template.purpose == Purpose.FUNDRAISING and basis.rank >= _PHI:
        yield Problem(
            step,
            "template",
            "Fundraising may not rest on what is known of somebody's health (45 CFR 164.514(f)). Choose people without "
            "it, or another purpose that is true.",
        )
    if template.purpose == Purpose.MARKETING and basis == Sensitivity.SPECIAL:
        if not _asks_opt_in(definition, names, node):
            yield Problem(
                step,
                "template",
                "Marketing that rests on a special category is for those only who asked for it. Add to “only” that "
                "people opted in to this mail's topic; their authorization and special consent are asked besides.",
            )
    elif template.purpose == Purpose.MARKETING and basis.rank >= _PHI:
        text = "Marketing that uses health information reaches only people with an authorization (45 CFR 164.508)."
        yield Problem(step, "template", text, "warning")
    if template.remunerated:
        text = "A third party pays for this mail: it reaches only people whose authorization says so."
        yield Problem(step, "template", text, "warning")


def _asks_opt_in(definition: d.Definition, names: Names, node: d.Mail) -> bool:
    """Whether nobody comes in who has not opted in to the mail's topic."""
    try:
        root = names.rule(definition.only).root if definition.only is not None else None
    except RuleError:
        return False
    if root is None or node.topic is None:
        return False
    clauses: tuple[Node, ...] = root.items if root.match == "all" or len(root.items) == 1 else ()
    return root.match != "none" and any(
        isinstance(clause, TopicIs) and clause.topic == node.topic and clause.state == "opted_in" for clause in clauses
    )
