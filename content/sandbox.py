"""The language of merge tags: Jinja2 in an immutable sandbox, with a short list of what may be used."""

from collections.abc import Callable
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from content.errors import MissingValue, TemplateBroken
from content.merge import date_filter

FILTERS = frozenset(
    [
        "default",
        "d",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "join",
        "first",
        "last",
        "length",
        "round",
        "replace",
        "truncate",
        "sort",
        "unique",
    ]
)
FORBIDDEN = (
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Macro,
    nodes.CallBlock,
    nodes.Call,
    nodes.Mul,
    nodes.Pow,
    nodes.Mod,
)


class Missing(StrictUndefined):
    """A value this person does not have: false in a condition, refused when it would be printed."""

    __slots__ = ()

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise MissingValue(self._undefined_name or "")

    def __bool__(self) -> bool:  # type: ignore[override]  # may be asked about
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return isinstance(other, Missing)

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = None  # type: ignore[assignment]
    __str__ = __iter__ = __len__ = __contains__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __getitem__ = __call__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()


def _environment(*, autoescape: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=autoescape, undefined=Missing, trim_blocks=True, keep_trailing_newline=True, cache_size=0
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS} | {"date": date_filter}
    return environment


HTML = _environment(autoescape=True)
TEXT = _environment(autoescape=False)


def parse(source: str, environment: ImmutableSandboxedEnvironment = HTML) -> nodes.Template:
    """The syntax tree; TemplateBroken with a plain message and the line if it is not one we accept."""
    try:
        tree = environment.parse(source)
        for node in tree.find_all(FORBIDDEN):
            raise TemplateBroken(
                "Only merge tags, conditions and loops are allowed here, no calls, imports, macros or arithmetic.",
                node.lineno,
            )
        for node in tree.find_all(nodes.Filter):
            if node.name not in environment.filters:
                raise TemplateBroken(f"There is no filter called “{node.name}”.", node.lineno)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise TemplateBroken(f"The merge tags cannot be read: {error.message}.", line) from None
    return tree


def compile_source(source: str, environment: ImmutableSandboxedEnvironment) -> Callable[[dict[str, Any]], str]:
    """A function from context to text. Raises TemplateBroken, and MissingValue when called."""
    parse(source, environment)
    template = environment.from_string(source)

    def render(context: dict[str, Any]) -> str:
        try:
            return template.render(context)
        except MissingValue:
            raise
        except (TemplateError, SecurityError, TypeError, ValueError, AttributeError, ArithmeticError, LookupError):
            # The cause may quote a value; only the kind of failure goes on.
            raise TemplateBroken("A merge tag or condition does not fit the value it got.") from None

    return render
