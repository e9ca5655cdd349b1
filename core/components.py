"""`{% ui "card" title="…" %}…{% endui %}`: a template partial with a body and named slots."""

from typing import Any

from django.template import Context, Node, NodeList, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token, token_kwargs
from django.utils.safestring import SafeString


class SlotNode(Node):
    """A named part of the component around it; renders nothing where it stands."""

    def __init__(self, name: str, nodes: NodeList) -> None:
        self.name, self.nodes = name, nodes

    def render(self, context: Context) -> SafeString:
        return SafeString("")


class ComponentNode(Node):
    def __init__(self, name: FilterExpression, values: dict[str, FilterExpression], nodes: NodeList) -> None:
        self.name, self.values, self.nodes = name, values, nodes
        self.slots = [node for node in nodes if isinstance(node, SlotNode)]

    def render(self, context: Context) -> SafeString:
        template = context.template.engine.get_template(f"ui/{self.name.resolve(context)}.html")  # type: ignore[union-attr]
        given: dict[str, Any] = {key: value.resolve(context) for key, value in self.values.items()}
        slots = {slot.name: slot.nodes.render(context) for slot in self.slots}
        body = self.nodes.render(context)
        # A component sees what it was given (and the request), so that the page's own names never leak into it.
        inner = context.new({**slots, **given, "body": body if body.strip() else ""})
        for shared in ("request", "user", "csrf_token"):
            if shared in context:
                inner[shared] = context[shared]
        return template.render(inner)


def compile_component(parser: Parser, token: Token) -> ComponentNode:
    bits = token.split_contents()[1:]
    if not bits:
        raise TemplateSyntaxError('ui needs the name of a component: {% ui "card" %}')
    name = parser.compile_filter(bits.pop(0))
    values = token_kwargs(bits, parser)
    if bits:
        raise TemplateSyntaxError(f"ui takes name=value only, not {bits[0]!r}")
    nodes = parser.parse(("endui",))
    parser.delete_first_token()
    return ComponentNode(name, values, nodes)


def compile_slot(parser: Parser, token: Token) -> SlotNode:
    _, name = token.split_contents()
    nodes = parser.parse(("endslot",))
    parser.delete_first_token()
    return SlotNode(name.strip("\"'"), nodes)
