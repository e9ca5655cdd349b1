"""Five questions, each as a rule of ours, as SQL on typed columns and as SQL on JSONB documents; all mean the same."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    clauses: list[dict[str, Any]]
    typed: str
    document: str

    @property
    def rule(self) -> dict[str, Any]:
        return {"version": 1, "root": {"all": self.clauses}}


@dataclass(frozen=True, slots=True)
class World:
    """Today where the organization is, its zone, the last campaign and a topic (ids)."""

    today: date
    zone: ZoneInfo
    last: str
    topic: str

    def moment(self, days: int) -> str:
        """The start of the day so many days ago."""
        day = date.fromordinal(self.today.toordinal() - days)
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).isoformat()


FEMALE = {"attribute": "sex", "op": "one_of", "value": ["female"]}
AGE = {"attribute": "birth_date", "op": "age_between", "value": {"from": 50, "to": 74}}
BCBS = {"attribute": "plan", "op": "one_of", "value": ["BCBS PPO", "BCBS HMO"]}
LEE = {"attribute": "provider", "op": "is", "value": "Dr. Lee"}
GAP = {"attribute": "procedures", "op": "has_none", "value": ["77067"], "when": {"in_last": 730}}
DIABETES = {"attribute": "conditions", "op": "has", "value": ["E11.*"], "when": "active"}


def five(world: World) -> list[Asked]:
    """From one clause to twelve with engagement."""
    return [_one(), _four(), _lists(world), _sentence(world), _twelve(world)]


def _age(column: str, world: World, first: int, last: int) -> str:
    return (
        f"{column} <= date '{world.today}' - interval '{first} years'"
        f" AND {column} > date '{world.today}' - interval '{last + 1} years'"
    )


def _list(key: str, test: str) -> str:
    return f"EXISTS (SELECT FROM plain.{key} l WHERE l.person = p.person AND {test})"


def _inside(key: str, test: str) -> str:
    """The same of a document's list."""
    entries = f"jsonb_to_recordset(p.doc->'{key}') AS l(code text, start date, stop date)"
    held = f"jsonb_typeof(p.doc->'{key}') = 'array'"
    return f"({held} AND EXISTS (SELECT FROM {entries} WHERE {test}))"


def _event(kind: str, test: str) -> str:
    return f"EXISTS (SELECT FROM plain.event e WHERE e.person = p.person AND e.kind = '{kind}' AND {test})"


def _typed(*tests: str) -> str:
    return f"SELECT count(*) FROM plain.person p WHERE {' AND '.join(tests)}"


def _document(*tests: str) -> str:
    return f"SELECT count(*) FROM plain.document p WHERE {' AND '.join(tests)}"


def _one() -> Asked:
    return Asked("one_clause", [FEMALE], _typed("sex = 'female'"), _document("""doc @> '{"sex": "female"}'"""))


def _four() -> Asked:
    world_free = "extract(day FROM birth_date) >= 1"  # a date, whatever day: keeps both sides to four tests
    tests = ("sex = 'female'", "plan IN ('BCBS PPO', 'BCBS HMO')", "a1c >= 6.5", world_free)
    inside = (
        """doc @> '{"sex": "female"}'""",
        "doc->>'plan' IN ('BCBS PPO', 'BCBS HMO')",
        "(doc->>'a1c')::float8 >= 6.5",
        "doc->>'birth_date' IS NOT NULL",
    )
    clauses = [
        FEMALE,
        BCBS,
        {"attribute": "a1c", "op": "at_least", "value": 6.5},
        {"attribute": "birth_date", "op": "is_not_empty"},
    ]
    return Asked("four_clauses", clauses, _typed(*tests), _document(*inside))


def _active(world: World) -> str:
    today = f"date '{world.today}'"
    family = "(code = 'E11' OR code LIKE 'E11.%')"
    return f"{family} AND (start IS NULL OR start <= {today}) AND (stop IS NULL OR stop >= {today})"


def _mammogram(world: World) -> str:
    today = f"date '{world.today}'"
    return f"code = '77067' AND start <= {today} AND stop >= {today} - 730"


def _lists(world: World) -> Asked:
    typed = _typed(_list("conditions", _active(world)), "NOT " + _list("procedures", _mammogram(world)))
    inside = _document(_inside("conditions", _active(world)), "NOT " + _inside("procedures", _mammogram(world)))
    return Asked("coded_lists", [DIABETES, GAP], typed, inside)


def _sentence(world: World) -> Asked:
    """Women 50 to 74, no mammogram in two years, on a BCBS plan, seen by Dr. Lee, who opened our last mail but did
    not click."""
    clauses = [
        *(FEMALE, AGE, GAP, BCBS, LEE),
        {"event": "opened", "op": "did", "mailing": world.last},
        {"event": "clicked", "op": "did_not", "mailing": world.last},
    ]
    mail = (_event("open", f"e.origin = '{world.last}'"), "NOT " + _event("click", f"e.origin = '{world.last}'"))
    typed = _typed(
        *("sex = 'female'", _age("birth_date", world, 50, 74), "plan IN ('BCBS PPO', 'BCBS HMO')"),
        *("provider = 'Dr. Lee'", "NOT " + _list("procedures", _mammogram(world)), *mail),
    )
    inside = _document(
        """doc @> '{"sex": "female", "provider": "Dr. Lee"}'""",
        _age("(doc->>'birth_date')::date", world, 50, 74),
        "doc->>'plan' IN ('BCBS PPO', 'BCBS HMO')",
        *("NOT " + _inside("procedures", _mammogram(world)), *mail),
    )
    return Asked("the_sentence", clauses, typed, inside)


def _twelve(world: World) -> Asked:
    plans = ["BCBS PPO", "BCBS HMO", "Aetna PPO", "Medicare", "Medicaid"]
    clauses = [
        FEMALE,
        {"attribute": "birth_date", "op": "age_between", "value": {"from": 35, "to": 85}},
        {
            "any": [
                {"attribute": "plan", "op": "one_of", "value": plans},
                {"attribute": "state", "op": "is", "value": "MA"},
            ]
        },
        DIABETES,
        GAP,
        {"attribute": "a1c", "op": "at_least", "value": 6.5},
        {"attribute": "last_visit_at", "op": "in_last", "value": 400},
        {"topic": world.topic, "op": "opted_in"},
        {"event": "opened", "op": "did", "days": 180},
        {"event": "clicked", "op": "did_not", "mailing": world.last},
        {"none": [{"attribute": "last_name", "op": "starts_with", "value": "sm"}]},
        {"attribute": "smoker", "op": "is", "value": False},
    ]
    listed = ", ".join(f"'{plan}'" for plan in plans)
    until = world.moment(-1)
    facts = (
        f"EXISTS (SELECT FROM plain.consent c WHERE c.topic = '{world.topic}' AND c.state = 'in'"
        " AND c.person = p.person)",
        _event("open", f"e.at >= '{world.moment(180)}'"),
        "NOT " + _event("click", f"e.origin = '{world.last}'"),
    )
    typed = _typed(
        *("sex = 'female'", _age("birth_date", world, 35, 85), f"(plan IN ({listed}) OR state = 'MA')"),
        *(_list("conditions", _active(world)), "NOT " + _list("procedures", _mammogram(world)), "a1c >= 6.5"),
        f"last_visit_at >= '{world.moment(400)}' AND last_visit_at < '{until}'",
        *facts,
        "lower(last_name) NOT LIKE 'sm%' AND NOT smoker",
    )
    visit = "(doc->>'last_visit_at')::timestamptz"
    inside = _document(
        """doc @> '{"sex": "female", "smoker": false}'""",
        *(_age("(doc->>'birth_date')::date", world, 35, 85), f"(doc->>'plan' IN ({listed}) OR doc->>'state' = 'MA')"),
        *(_inside("conditions", _active(world)), "NOT " + _inside("procedures", _mammogram(world))),
        f"(doc->>'a1c')::float8 >= 6.5 AND {visit} >= '{world.moment(400)}' AND {visit} < '{until}'",
        *facts,
        "lower(doc->>'last_name') NOT LIKE 'sm%'",
    )
    return Asked("twelve_clauses", clauses, typed, inside)
