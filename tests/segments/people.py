"""Generated people and rules for the agreement of the two evaluators."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from core.sensitivity import Sensitivity
from segments import operators
from segments.catalog import Catalog, Field, Mailing
from segments.operators import Takes
from tests.segments.reference import Someone, World

TOPICS = [UUID(int=n) for n in (1, 2)]
MAILINGS = [UUID(int=n) for n in (11, 12)]
CHOICES = ("BCBS", "Aetna", "bcbs")
KINDS = {
    **{"t": "text", "u": "text", "c": "choice", "n": "number", "d": "date", "m": "datetime", "b": "boolean"},
    **{"k": "coded", "l": "coded"},
}
CATALOG = Catalog(
    fields={
        key: Field(key, key.upper(), kind, Sensitivity.PHI, CHOICES if kind == "choice" else ())
        for key, kind in KINDS.items()
    },
    removed={"gone": ("Gone", date(2026, 3, 1))},
    topics=dict.fromkeys(TOPICS, "News"),
    mailings={m: Mailing(m, "“News”", Sensitivity.PHI) for m in MAILINGS},
)
ZONES = ["UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/Sao_Paulo"]
#: Days on which calendars go wrong: around leap days, year ends and both changes of the clock.
ODD_DAYS = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 2, 28), date(2025, 3, 1)]
ODD_DAYS += [date(2024, 12, 31), date(2025, 1, 1), date(2026, 3, 8), date(2026, 11, 1), date(2100, 2, 28)]

texts = st.text(alphabet="aAbBéÉßſKKﬁ .*(|'\"%_\\日ا", max_size=5)
asked_texts = texts.filter(lambda t: t.strip())
numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -0.0, 1e300, 2**53 + 1, 2.0]))
counts = st.one_of(st.integers(0, 4), st.sampled_from([28, 30, 59, 60, 364, 365, 366, 367, 800, 36_500]))
code_names = st.sampled_from(["E11", "E11.9", "e11.65", "E1", "E110", "I10", "E11.9.1"])
asked_codes = st.one_of(code_names, st.sampled_from(["E11.*", "E11*", "e1*", "Z*", "I10.*"]))


def days(today: date) -> st.SearchStrategy[date]:
    near = st.integers(-5, 5).map(lambda n: today + timedelta(days=n))
    years = st.builds(
        lambda y, n: date(today.year + y, today.month, min(today.day, 28)) + timedelta(days=n),
        st.integers(-90, 2),
        st.integers(-3, 3),
    )
    return st.one_of(near, years, st.sampled_from(ODD_DAYS))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    day = draw(st.one_of(st.sampled_from(ODD_DAYS), st.dates(date(2020, 1, 1), date(2032, 12, 31))))
    hour = draw(st.sampled_from([0, 3, 4, 5, 10, 12, 23]))
    minute = draw(st.sampled_from([0, 29, 59]))
    now = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
    return World(now, ZoneInfo(draw(st.sampled_from(ZONES))), KINDS)


@st.composite
def people(draw: st.DrawFn, world: World) -> Someone:
    today = world.today
    day = days(today).map(date.isoformat)
    moment = st.builds(
        lambda d, s: (datetime(d.year, d.month, d.day, tzinfo=UTC) + timedelta(seconds=s)).isoformat()[:19] + "Z",
        days(today),
        st.sampled_from([0, 1, 10_800, 18_000, 43_200, 86_399]),
    )
    values: dict[str, Any] = {}
    kinds: list[tuple[str, st.SearchStrategy[Any]]] = [
        *(("t", texts), ("u", texts), ("c", st.sampled_from(CHOICES)), ("n", numbers), ("d", day)),
        *(("m", moment), ("b", st.booleans())),
    ]
    for key, strategy in kinds:
        if draw(st.booleans()):
            values[key] = draw(strategy)
    entry = st.tuples(code_names, st.none() | day, st.none() | day)
    coded = {key: draw(st.lists(entry, max_size=3)) for key in ("k", "l") if draw(st.booleans())}
    topics = {str(t): draw(st.sampled_from(list(operators.TOPIC_STATES))) for t in TOPICS if draw(st.booleans())}
    event = st.tuples(
        st.sampled_from(list(operators.EVENTS)),
        st.sampled_from([str(m) for m in MAILINGS]),
        st.integers(0, 6000).map(lambda minutes: world.now - timedelta(minutes=minutes)),
    )
    return Someone(values, coded, topics, draw(st.lists(event, max_size=3)))


def rule_days(world: World) -> st.SearchStrategy[Any]:
    return st.one_of(days(world.today).map(date.isoformat), st.integers(-400, 400).map(lambda n: {"days": n}))


def _ordered(world: World) -> st.SearchStrategy[Any]:
    fixed = st.tuples(days(world.today), days(world.today)).map(sorted)
    mixed = st.tuples(days(world.today).map(date.isoformat), st.integers(-9, 9).map(lambda n: {"days": n}))
    return st.one_of(
        fixed.map(lambda pair: {"from": pair[0].isoformat(), "to": pair[1].isoformat()}),
        mixed.map(lambda pair: {"from": pair[0], "to": pair[1]}),
    )


def _pair(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(strategy, strategy).map(lambda pair: {"from": min(pair), "to": max(pair)})


def given_to(takes: Takes, world: World) -> st.SearchStrategy[Any]:
    return {
        Takes.TEXT: asked_texts,
        Takes.TEXTS: st.lists(asked_texts, min_size=1, max_size=3),
        Takes.NUMBER: numbers,
        Takes.NUMBERS: _pair(numbers),
        Takes.DAY: rule_days(world),
        Takes.DAYS: _ordered(world),
        Takes.COUNT: counts,
        Takes.AGES: _pair(st.one_of(st.integers(0, 3), st.integers(0, 150))),
        Takes.YES_NO: st.booleans(),
        Takes.CHOICE: st.sampled_from(CHOICES),
        Takes.CHOICES: st.lists(st.sampled_from(CHOICES), min_size=1, max_size=2),
        Takes.CODES: st.lists(asked_codes, min_size=1, max_size=2),
    }[takes]


@st.composite
def conditions(draw: st.DrawFn, world: World, key: str | None = None, op: str | None = None) -> dict[str, Any]:
    what = key or draw(st.sampled_from([*KINDS, "topic", "event"]))
    if what == "topic":
        return {"topic": str(draw(st.sampled_from(TOPICS))), "op": draw(st.sampled_from([*operators.TOPIC_STATES]))}
    if what == "event":
        return {
            "event": draw(st.sampled_from(list(operators.EVENTS))),
            "op": draw(st.sampled_from(["did", "did_not"])),
            "mailing": draw(st.none() | st.sampled_from([str(m) for m in MAILINGS])),
            "days": draw(st.none() | st.integers(0, 3)),
        }
    offered = operators.BY_KIND[KINDS[what]]
    operator = next((o for o in offered if o.name == op), None) or draw(st.sampled_from(offered))
    rule = {"attribute": what, "op": operator.name}
    if operator.takes is not Takes.NOTHING:
        rule["value"] = draw(given_to(operator.takes, world))
    if operator.takes is Takes.CODES:
        when = draw(st.sampled_from(list(operators.WHENS)))
        takes = operators.WHENS[when][1]
        rule["when"] = when if takes is Takes.NOTHING else {when: draw(given_to(takes, world))}
    return rule


def rules(world: World) -> st.SearchStrategy[dict[str, Any]]:
    def group(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        listed = st.lists(items, min_size=1, max_size=3)
        return st.tuples(st.sampled_from(["all", "any", "none"]), listed).map(lambda pair: {pair[0]: pair[1]})

    tree = st.recursive(conditions(world), group, max_leaves=6)
    return group(tree).map(lambda root: {"version": 1, "root": root})
