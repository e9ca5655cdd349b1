"""Generated people and rules for the agreement of the two evaluators."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from core.sensitivity import Sensitivity
from segments import operators
from segments.catalog import Catalog, Field, Mailing, Saved
from segments.operators import Takes
from tests.segments.reference import Someone, World

TOPICS = [UUID(int=n) for n in (1, 2)]
MAILINGS = [UUID(int=n) for n in (11, 12)]
CHOICES = ("BCBS", "Aetna", "bcbs")
KINDS = {
    **{"t": "text", "u": "text", "c": "choice", "n": "number", "d": "date", "m": "datetime", "b": "boolean"},
    **{"k": "coded", "l": "coded", "time_zone": "text"},
}
#: A segment, one that names it, and a snapshot.
SEGMENTS = [UUID(int=n) for n in (21, 22, 23)]
RULES = {
    SEGMENTS[0]: {
        "any": [
            {"attribute": "t", "op": "contains", "value": "a"},
            {"attribute": "k", "op": "has", "value": ["E11.*"], "when": "active"},
            {"attribute": "d", "op": "in_last", "value": {"months": 1}, "zone": "contact"},
            {"event": "opened", "op": "did"},
        ]
    },
    SEGMENTS[1]: {
        "none": [
            {"segment": str(SEGMENTS[0]), "op": "in"},
            {"attribute": "n", "op": "more_than", "value": 0},
        ]
    },
    SEGMENTS[2]: {"all": [{"attribute": "gone", "op": "is", "value": "x"}]},
}
CATALOG = Catalog(
    fields={
        key: Field(key, key.upper(), kind, Sensitivity.PHI, CHOICES if kind == "choice" else ())
        for key, kind in KINDS.items()
    },
    removed={"gone": ("Gone", date(2026, 3, 1))},
    topics=dict.fromkeys(TOPICS, "News"),
    mailings={
        m: Mailing(m, "“News”", Sensitivity.PHI, topic, ("https://example.org/a", "https://example.org/b"))
        for m, topic in zip(MAILINGS, TOPICS, strict=True)
    },
    segments={
        i: Saved(i, "Some", {"version": 2, "root": root}, Sensitivity.PHI, snapshot=i == SEGMENTS[2])
        for i, root in RULES.items()
    },
)
LOCAL = st.sampled_from(
    [
        *(
            "America/New_York",
            "Pacific/Kiritimati",
            "Pacific/Pago_Pago",
            "Asia/Kolkata",
            "Europe/London",
            "America/St_Johns",
        ),
        *("", "Mars/Olympus", "america/new_york", "America", "../etc"),
    ]
)
ZONES = ["UTC", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/Sao_Paulo"]
#: Days on which calendars go wrong: around leap days, year ends and both changes of the clock.
ODD_DAYS = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2025, 2, 28), date(2025, 3, 1)]
ODD_DAYS += [date(2024, 12, 31), date(2025, 1, 1), date(2026, 3, 8), date(2026, 11, 1), date(2100, 2, 28)]

texts = st.text(alphabet="aAbBéÉßſKKﬁ .*(|'\"%_\\日ا", max_size=5)
asked_texts = texts.filter(lambda t: t.strip())
numbers = st.one_of(st.integers(-3, 3), st.sampled_from([0.5, -0.0, 1e300, 2**53 + 1, 2.0]))
few, far = st.integers(0, 4), st.sampled_from([28, 30, 59, 60, 364, 365, 366, 367, 800, 36_500])
spans = st.one_of(
    st.one_of(few, far).map(lambda n: {"days": n}),
    st.one_of(few, st.sampled_from([52, 5_200])).map(lambda n: {"weeks": n}),
    st.one_of(few, st.sampled_from([12, 13, 1_200])).map(lambda n: {"months": n}),
    st.one_of(few, st.just(100)).map(lambda n: {"years": n}),
)
often = st.one_of(
    st.integers(1, 3).map(lambda n: {"at_least": n}),
    st.integers(0, 2).map(lambda n: {"more_than": n}),
    st.integers(0, 2).map(lambda n: {"at_most": n}),
)
#: Patterns that mean the same to Python, over texts in small letters.
atoms = st.sampled_from(
    ["a", "B", "é", "É", "_", " ", "日", ".", "\\d", "\\w", "\\s", "[ab]", "[^A]", "[a-z_]", "(a|b)", "(é.)"]
)
patterns = st.builds(
    lambda start, parts, end: start + "".join(parts) + end,
    st.sampled_from(["", "^"]),
    st.lists(
        st.tuples(atoms, st.sampled_from(["", "", "?", "*", "+", "{2}", "{0,2}", "{1,}"])).map("".join), max_size=4
    ),
    st.sampled_from(["", "$", "|b"]),
).filter(lambda pattern: pattern and pattern == pattern.strip() and not pattern.startswith("|"))
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
    mailings = {str(m.id): str(m.topic) for m in CATALOG.mailings.values()}
    segments = {str(i): {"root": root} for i, root in RULES.items()}
    segments[str(SEGMENTS[2])] = draw(st.lists(st.integers(0, 40), max_size=9))
    return World(now, ZoneInfo(draw(st.sampled_from(ZONES))), KINDS, mailings, segments)


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
        *(("m", moment), ("b", st.booleans()), ("time_zone", LOCAL)),
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
        st.one_of(st.integers(0, 6000), st.integers(-60, 90 * 1440)).map(
            lambda minutes: world.now - timedelta(minutes=minutes)
        ),
        st.integers(0, 1),
    ).map(lambda e: e if e[0] == "clicked" else e[:3])
    return Someone(values, coded, topics, draw(st.lists(event, max_size=3)), draw(st.integers(0, 40)))


def relative(most: int) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(["days", "weeks", "months", "years"]), st.integers(-most, most)).map(
        lambda pair: {pair[0]: max(-99, min(99, pair[1])) if pair[0] == "years" else pair[1]}
    )


def rule_days(world: World) -> st.SearchStrategy[Any]:
    return st.one_of(days(world.today).map(date.isoformat), relative(400))


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
        Takes.COUNT: spans,
        Takes.AGE: st.one_of(st.integers(0, 3), st.integers(0, 150)),
        Takes.WEEKDAYS: st.lists(st.sampled_from(operators.WEEKDAYS), min_size=1, max_size=3),
        Takes.AGES: _pair(st.one_of(st.integers(0, 3), st.integers(0, 150))),
        Takes.YES_NO: st.booleans(),
        Takes.CHOICE: st.sampled_from(CHOICES),
        Takes.CHOICES: st.lists(st.sampled_from(CHOICES), min_size=1, max_size=2),
        Takes.CODES: st.lists(asked_codes, min_size=1, max_size=2),
    }[takes]


ABOUT = [key for key in KINDS if key != "time_zone"]


@st.composite
def conditions(draw: st.DrawFn, world: World, key: str | None = None, op: str | None = None) -> dict[str, Any]:
    what = key or draw(st.sampled_from([*ABOUT, "topic", "event", "sample", "segment"]))
    if what == "topic":
        return {"topic": str(draw(st.sampled_from(TOPICS))), "op": draw(st.sampled_from([*operators.TOPIC_STATES]))}
    if what == "event":
        return draw(events(world))
    if what == "sample":
        percent = draw(st.one_of(st.integers(1, 100), st.sampled_from([0.5, 99.9])))
        return {"sample": {"percent": percent, "seed": draw(st.integers(0, 3))}}
    if what == "segment":
        return {"segment": str(draw(st.sampled_from(SEGMENTS))), "op": draw(st.sampled_from(["in", "not_in"]))}
    offered = operators.BY_KIND[KINDS[what]]
    operator = next((o for o in offered if o.name == op), None) or draw(st.sampled_from(offered))
    rule = {"attribute": what, "op": operator.name}
    if operator.name in ("matches", "does_not_match"):
        rule["value"] = draw(patterns)
    elif operator.takes is not Takes.NOTHING:
        rule["value"] = draw(given_to(operator.takes, world))
    parts = operators.parts(KINDS[what], operator)
    if "when" in parts:
        when = draw(st.sampled_from(list(operators.WHENS)))
        takes = operators.WHENS[when][1]
        rule["when"] = when if takes is Takes.NOTHING else {when: draw(given_to(takes, world))}
    if "times" in parts and draw(st.booleans()):
        rule["times"] = draw(often)
    if "zone" in parts and draw(st.booleans()):
        rule["zone"] = draw(st.sampled_from(list(operators.ZONES)))
    if "on" in parts and draw(st.booleans()):
        rule["on"] = draw(rule_days(world))
    return rule


@st.composite
def events(draw: st.DrawFn, world: World) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "event": draw(st.sampled_from(list(operators.EVENTS))),
        "op": draw(st.sampled_from(["did", "did_not"])),
        "mailing": draw(st.sampled_from([None, "last", *map(str, MAILINGS)])),
    }
    if rule["mailing"] in (None, "last") and draw(st.booleans()):
        rule["of_topic"] = str(draw(st.sampled_from(TOPICS)))
    if rule["event"] == "clicked" and rule["mailing"] not in (None, "last") and draw(st.booleans()):
        rule["link"] = draw(st.integers(0, 1))
    if rule["op"] == "did" and draw(st.booleans()):
        rule["times"] = draw(often)
    if draw(st.booleans()):
        name, (_, takes) = draw(st.sampled_from(list(operators.WINDOWS.items())))
        rule["when"] = {name: draw(given_to(takes, world))}
    return rule


def rules(world: World) -> st.SearchStrategy[dict[str, Any]]:
    def group(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        listed = st.lists(items, min_size=1, max_size=3)
        return st.tuples(st.sampled_from(["all", "any", "none"]), listed).map(lambda pair: {pair[0]: pair[1]})

    tree = st.recursive(conditions(world), group, max_leaves=6)
    return group(tree).map(lambda root: {"version": 2, "root": root})
