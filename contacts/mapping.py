"""What each column of a file means: guessed, remembered, and applied to rows. Pure but for the memory."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from contacts.commands import clean_coded
from contacts.csvfile import Row
from contacts.errors import BadMapping, BadValue
from contacts.models import Attribute, Import, Kind, SavedMapping
from contacts.persons import Marks, Person, marks_of
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


def meanings(columns: Sequence[str], live: Mapping[str, Attribute]) -> str:
    """Changes whenever a cell of these columns could come to mean something else than it did."""
    used = [[key, live[key].kind, live[key].choices] for key in columns if key in live]
    return hashlib.sha256(msgspec.msgpack.encode(used)).hexdigest()


class Batch(msgspec.Struct, array_like=True):
    """The rows of a chunk as people, in order, beside those that cannot be."""

    rows: int
    people: list[Person] = []
    #: For each person, the places (in the chunk) of the rows that speak of them, and the line of the first.
    places: list[list[int]] = []
    lines: list[int] = []
    #: place in the chunk -> why not
    refused: dict[int, str] = {}
    marks: Marks = msgspec.field(default_factory=Marks)

    def add(self, person: Person, places: list[int], line: int) -> None:
        self.people.append(person)
        self.places.append(places)
        self.lines.append(line)

    def keep(self, positions: Sequence[int]) -> None:
        """Only these of the people."""
        lists: tuple[list[Any], ...] = (self.people, self.places, self.lines, self.marks.externals, self.marks.emails)
        for each in lists:
            each[:] = [each[position] for position in positions]


class _Problem(str):
    """Why a cell cannot be taken."""


class _Cells(dict[str, Any]):
    """What the cells of one column mean, each distinct one parsed once: a value, None (says nothing) or a _Problem."""

    def __init__(self, attribute: Attribute, *, day_first: bool) -> None:
        super().__init__()
        self._attribute, self._day_first = attribute, day_first

    def __missing__(self, cell: str) -> Any:
        meaning: Any = None
        if cell and not cell.isspace():
            try:
                meaning = parse(self._attribute.kind, cell, self._attribute, day_first=self._day_first)
            except BadValue as problem:
                meaning = _Problem(f"{self._attribute.label}: {problem}")
        self[cell] = meaning
        return meaning

    @property
    def sound(self) -> bool:
        return not any(type(meaning) is _Problem for meaning in self.values())


def people_of(rows: Sequence[Row], columns: Sequence[str], live: Mapping[str, Attribute], *, day_first: bool) -> Batch:
    """One row a person, parsed by column. An empty cell says nothing; it clears nothing."""
    batch = Batch(len(rows), refused={place: row.problem for place, row in enumerate(rows) if row.problem})
    usable = [place for place, row in enumerate(rows) if not row.problem]
    if not usable:
        return batch
    raw = list(zip(*(rows[place].cells for place in usable), strict=True))
    keys = [key for key in columns if key]
    parsed: list[list[Any]] = []
    sound = True
    for cells in (raw[column] for column, key in enumerate(columns) if key):
        meant = _Cells(live[keys[len(parsed)]], day_first=day_first)
        parsed.append([meant[cell] for cell in cells])
        sound = sound and meant.sound
    for place, said in zip(usable, zip(*parsed, strict=True), strict=True):
        problems = () if sound else [meaning for meaning in said if type(meaning) is _Problem]
        if problems:
            batch.refused[place] = "; ".join(problems)
        else:
            values = {key: value for key, value in zip(keys, said, strict=True) if value is not None}
            batch.add(Person(values), [place], rows[place].line)
    batch.marks = marks_of(batch.people)
    return batch


def coded_of(
    rows: Sequence[Row], columns: Sequence[str], coded: Attribute, external_id: Attribute, *, day_first: bool
) -> Batch:
    """Many rows a person: one entry a row, gathered by the person's external id."""
    at = {role: columns.index(role) for role in CODED_ROLES if role in columns}
    batch = Batch(len(rows))
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
        batch.add(Person({"external_id": who}, {coded.key: found}), places[who], rows[places[who][0]].line)
    batch.marks = marks_of(batch.people)
    return batch
