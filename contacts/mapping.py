"""What each column of a file means: guessed, remembered, and applied to rows. Pure but for the memory."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contacts.commands import Person, clean_coded
from contacts.csvfile import Row
from contacts.errors import BadMapping, BadValue
from contacts.models import Attribute, Import, Kind, SavedMapping
from contacts.records import Coded
from contacts.values import parse
from phi.keyring import keyring

#: Roles of columns in a file with many rows a person.
PERSON, CODE, DISPLAY, START, STOP = "person", "code", "display", "start", "stop"
CODED_ROLES = {
    PERSON: "Person (external id)",
    CODE: "Code",
    DISPLAY: "Name of the code",
    START: "Start",
    STOP: "Stop",
}

#: Column names as files have them, squeezed to letters and digits.
_KNOWN_NAMES = {
    "email": "email emailaddress mail emailadresse emailid primaryemail",
    "external_id": "id externalid patientid patient mrn memberid personid customerid contactid patientnumber",
    "first_name": "first firstname givenname given forename vorname fname",
    "last_name": "last lastname surname familyname family nachname lname",
    "birth_date": "birthdate dob dateofbirth birthday born geburtsdatum",
    "sex": "sex gender geschlecht",
    "language": "language lang preferredlanguage locale sprache",
    "time_zone": "timezone tz",
    "phone": "phone phonenumber mobile cell telephone telefon",
    "street": "street address address1 streetaddress addressline1 strasse",
    "city": "city town ort stadt",
    "state": "state province region bundesland",
    "zip": "zip zipcode postalcode postcode plz",
}
_KNOWN_ROLES = {
    PERSON: "patient patientid person personid externalid memberid mrn",
    CODE: "code icd icd10 snomed ndc rxnorm conditioncode drugcode",
    DISPLAY: "description display name text condition drug medication",
    START: "start startdate date onset from begin",
    STOP: "stop stopdate end enddate until resolved",
}
_SQUEEZE = re.compile(r"[^a-z0-9]")


def _lookup(table: Mapping[str, str]) -> dict[str, str]:
    return {name: key for key, names in table.items() for name in names.split()}


_BY_NAME, _BY_ROLE = _lookup(_KNOWN_NAMES), _lookup(_KNOWN_ROLES)


def squeeze(header: str) -> str:
    return _SQUEEZE.sub("", header.lower())


def guess(headers: Sequence[str], shape: str, live: Mapping[str, Attribute]) -> list[str]:
    """The likely meaning of each column, each meaning given once; "" leaves the column out."""
    table: Mapping[str, str]
    if shape == Import.Shape.CODED:
        table = _BY_ROLE
    else:
        plain = {key: item for key, item in live.items() if item.kind != Kind.CODED}
        own = {squeeze(item.label): key for key, item in plain.items()} | {squeeze(key): key for key in plain}
        table = {name: key for name, key in {**_BY_NAME, **own}.items() if key in plain}
    taken: set[str] = set()
    columns = []
    for header in headers:
        key = table.get(squeeze(header), "")
        columns.append("" if key in taken else key)
        taken.add(key)
    return columns


def _memory_key(headers: Sequence[str]) -> bytes:
    text = "\x1f".join(squeeze(header) for header in headers)
    return hmac.new(keyring().secret("index:headers"), text.encode(), hashlib.sha256).digest()


def remembered(headers: Sequence[str]) -> SavedMapping | None:
    """What somebody chose the last time a file had exactly these columns."""
    return SavedMapping.objects.filter(headers_hash=_memory_key(headers)).first()


def remember(headers: Sequence[str], shape: str, mapping: Mapping[str, Any]) -> None:
    SavedMapping.objects.update_or_create(
        headers_hash=_memory_key(headers), defaults={"shape": shape, "mapping": dict(mapping)}
    )


def guess_kind(samples: Sequence[str]) -> str:
    """The kind of attribute that takes all these values."""
    filled = [sample for sample in samples if sample.strip()]
    for kind in (Kind.NUMBER, Kind.DATE, Kind.BOOLEAN):
        try:
            if filled and all(parse(kind, sample) is not None for sample in filled):
                return kind
        except BadValue:
            continue
    return Kind.TEXT


def shape_of(text: str) -> str:
    """A sample one may show: what a value looks like, not what it is ("999-99-9999", "xxxx99@xxx.xxx")."""
    masked = "".join("9" if c.isdigit() else "x" if c.isalpha() else " " if ord(c) < 32 else c for c in text[:40])
    return masked + ("…" if len(text) > 40 else "")


def check(columns: Sequence[str], shape: str, live: Mapping[str, Attribute], coded_key: str | None) -> None:
    """Refuse a mapping that cannot work, saying what to choose."""
    used = [column for column in columns if column]
    twice = sorted({column for column in used if used.count(column) > 1})
    if twice:
        label = live[twice[0]].label if twice[0] in live else CODED_ROLES.get(twice[0], twice[0])
        raise BadMapping(f"Two columns are both mapped to {label}. Leave one of them out.")
    if shape == Import.Shape.CODED:
        if coded_key is None or coded_key not in live or live[coded_key].kind != Kind.CODED:
            raise BadMapping("Choose the coded list that these rows go into.")
        for role in (PERSON, CODE):
            if role not in used:
                raise BadMapping(f"Choose the column that holds: {CODED_ROLES[role]}.")
        return
    for column in used:
        if column not in live or live[column].kind == Kind.CODED:
            raise BadMapping("A column is mapped to an attribute that no longer exists. Choose again.")
    if "external_id" not in used and "email" not in used:
        raise BadMapping("Map a column to External id or to Email, so that people can be told apart.")


@dataclass(slots=True)
class Batch:
    """The rows of a chunk as people, in order, beside those that cannot be."""

    people: list[Person] = field(default_factory=list)
    #: For each person, the places (in the chunk) of the rows that speak of them.
    places: list[list[int]] = field(default_factory=list)
    #: place in the chunk -> why not
    refused: dict[int, str] = field(default_factory=dict)


def people_of(rows: Sequence[Row], columns: Sequence[str], live: Mapping[str, Attribute], *, day_first: bool) -> Batch:
    """One row a person. An empty cell says nothing; it clears nothing."""
    wanted = [(place, live[key]) for place, key in enumerate(columns) if key]
    batch = Batch()
    for place, row in enumerate(rows):
        if row.problem:
            batch.refused[place] = row.problem
            continue
        person: dict[str, Any] = {}
        problems = []
        for column, attribute in wanted:
            cell = row.cells[column]
            if not cell or cell.isspace():
                continue
            try:
                person[attribute.key] = parse(attribute.kind, cell, attribute, day_first=day_first)
            except BadValue as problem:
                problems.append(f"{attribute.label}: {problem}")
        if problems:
            batch.refused[place] = "; ".join(problems)
        else:
            batch.people.append(Person(person))
            batch.places.append([place])
    return batch


def coded_of(
    rows: Sequence[Row], columns: Sequence[str], coded: Attribute, external_id: Attribute, *, day_first: bool
) -> Batch:
    """Many rows a person: one entry a row, gathered by the person's external id."""
    at = {role: columns.index(role) for role in CODED_ROLES if role in columns}
    batch = Batch()
    entries: dict[str, list[Coded]] = {}
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        if row.problem:
            batch.refused[place] = row.problem
            continue
        cell = {role: row.cells[column] for role, column in at.items()}
        try:
            if not cell[PERSON].strip():
                raise BadValue("no external id")
            who = str(parse("text", cell[PERSON], external_id))
            entry = clean_coded(cell[CODE], cell.get(DISPLAY, ""), cell.get(START), cell.get(STOP), day_first=day_first)
        except BadValue as problem:
            batch.refused[place] = str(problem)
            continue
        entries.setdefault(who, []).append(entry)
        places.setdefault(who, []).append(place)
    for who, found in entries.items():
        batch.people.append(Person({"external_id": who}, {coded.key: found}))
        batch.places.append(places[who])
    return batch
