import csv
import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from audit.models import Entry
from contacts import chunks, commands, errors, imports, queries, signals, upsert
from contacts.importing import engine, head, lease, take, undo
from contacts.models import Attribute, Contact, Import, ImportChunk, ImportKey, ImportTouch, Reason, SavedMapping
from contacts.records import Coded
from core import clock
from core.actors import SYSTEM
from tests.contacts.factories import finish, make_import, make_people, make_staff, run_import
from tests.data import SHARED

pytestmark = pytest.mark.django_db

State = Import.State
FILE = """Patient ID,E-Mail,First Name,Last Name,DOB,Note
P1,ada@example.com,Ada,Lovelace,1961-04-30,x
P2,grace@example.com,Grace,"Hopper, Admiral",12/09/1950,y
P3,alan@example.com,Alan,Turing,,z
"""


def table(rows: list[tuple[object, ...]], delimiter: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def refused(owner: Import) -> list[list[Any]]:
    box = chunks.Box(owner)
    return [item for place in box.positions(chunks.REFUSED) for item in box.take_list(chunks.REFUSED, place)]


def counts(owner: Import) -> tuple[int, int, int, int]:
    return owner.created_count, owner.changed_count, owner.unchanged_count, owner.refused_count


def values_of(external_id: str) -> dict[str, Any]:
    contact_id = queries.by_external_id(external_id)
    assert contact_id
    return queries.open_many([contact_id])[contact_id].values


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.importing.parse.CHUNK_ROWS", 3)


def test_a_file_becomes_people_and_a_second_time_changes_nothing() -> None:
    owner = run_import(make_import(FILE))
    assert (owner.state, counts(owner)) == (State.FINISHED, (3, 0, 0, 0))
    assert values_of("P2") == {
        "external_id": "P2", "email": "grace@example.com", "first_name": "Grace", "last_name": "Hopper, Admiral",
        "birth_date": "1950-12-09",
    }  # fmt: skip
    before = list(Contact.objects.order_by("id").values_list("sealed", "updated_at"))
    again = run_import(make_import(FILE))
    assert counts(again) == (0, 0, 3, 0)
    assert list(Contact.objects.order_by("id").values_list("sealed", "updated_at")) == before


def test_the_dry_run_counts_and_writes_nothing() -> None:
    make_people(1, external_id="P1", email="ada@example.com", first_name="Augusta", last_name="Lovelace")
    before = bytes(Contact.objects.get().sealed)
    owner = make_import(FILE)
    imports.check(owner, by=make_staff())
    finish(owner)
    assert (owner.state, counts(owner)) == (State.CHECKED, (2, 1, 0, 0))
    assert bytes(Contact.objects.get().sealed) == before
    assert owner.problems["changes"] == [
        [2, "••• A••• L•••", [["First name", "A•••", "A•••"], ["Birth date", "", "•••"]]]
    ]


@pytest.mark.parametrize(
    ("data", "encoding", "delimiter"),
    [
        (FILE.encode(), "utf-8-sig", ","),
        (b"\xef\xbb\xbf" + FILE.replace("Ada", "Ádá").encode(), "utf-8-sig", ","),
        (FILE.replace("Ada", "Ádá").encode("cp1252"), "cp1252", ","),
        (FILE.replace(",", ";").encode(), "utf-8-sig", ";"),
        (FILE.replace(",", "\t").replace("\n", "\r\n").encode(), "utf-8-sig", "\t"),
        (FILE.encode("utf-16"), "utf-16", ","),
        (FILE.replace("\n", "\r").encode(), "utf-8-sig", ","),
    ],
)
def test_encodings_and_delimiters_are_recognised(data: bytes, encoding: str, delimiter: str) -> None:
    owner = make_import(data)
    assert (owner.encoding, owner.delimiter) == (encoding, delimiter)
    assert owner.mapping["columns"] == ["external_id", "email", "first_name", "last_name", "birth_date", ""]
    assert run_import(owner).created_count == 3
    assert values_of("P1")["first_name"] in ("Ada", "Ádá")


def test_each_bad_row_is_refused_with_its_reason_and_the_rest_goes_in() -> None:
    data = table(
        [
            ("id", "email", "first name", "dob"),
            ("P1", "ada@example.com", "Ada", "1961-04-30"),
            ("P2", "not an address", "Bob", "1961-04-30"),
            ("P3", "eve@example.com\r\nBcc: all@example.com", "Eve", ""),
            ("P4", "dan@example.com", "Dan", "31.02.1990"),
            ("", "", "Nobody", ""),
            ("P1", "other@example.com", "Ada again", ""),
            ("P6", "six@example.com", "Nul\x00l", ""),
            ("P7", "seven@example.com", "x" * 5000, ""),
            ("P8", "eight@example.com", "=HYPERLINK(1)", ""),
            ("P9", "nine@example.com", "Nine", "", "surplus"),
            ("P10", "ten@example.com"),
        ]
    )
    owner = run_import(make_import(data))
    assert counts(owner) == (2, 0, 0, 9)
    reasons = {line: reason for line, reason, _ in refused(owner)}
    assert reasons[3] == "Email: The email address needs the form name@domain."
    assert "line break" in reasons[4]
    assert reasons[6].startswith("Birth date: not a day of the calendar")
    assert "neither an external id nor an email" in reasons[7]
    assert reasons[8] == "the same external id is on line 2"
    assert "control characters" in reasons[9]
    assert "longer than 4,000" in reasons[10]
    assert reasons[12] == "has 5 cells where the header has 4"
    assert reasons[13] == "has 2 cells where the header has 4"
    assert values_of("P8")["first_name"] == "=HYPERLINK(1)"


def test_without_external_ids_two_rows_with_one_address_are_told_apart_by_refusing_the_second() -> None:
    data = "email,first name\n" + "".join(f"p{i}@example.com,P\n" for i in range(5)) + "p1@example.com,Other\n"
    owner = run_import(make_import(data))
    assert counts(owner) == (5, 0, 0, 1)
    assert "on line 3, and no external id" in refused(owner)[0][1]


def test_a_family_may_share_an_address_and_the_page_says_so() -> None:
    addresses = ("family@example.com", "family@example.com", "a@example.com", "b@example.com", "FAMILY@example.com")
    data = table([("id", "email"), *[(f"P{i}", address) for i, address in enumerate(addresses)]])
    owner = run_import(make_import(data))
    assert counts(owner) == (5, 0, 0, 0)
    assert owner.problems["shared_addresses"] == 2


def test_broken_quotation_marks_refuse_their_line_only() -> None:
    data = 'id,email\nP1,a@example.com\nP2,"b@exam"ple.com\nP3,c@example.com\n'
    owner = run_import(make_import(data))
    assert counts(owner) == (2, 0, 0, 1)
    assert refused(owner)[0][:2] == [3, "the quotation marks do not match"]


def test_cells_may_hold_line_breaks_and_doubled_quotation_marks() -> None:
    data = 'id,email,street\r\nP1,a@example.com,"1 ""Main"" St\r\nRear"\r\nP2,b@example.com,x\r\n'
    run_import(make_import(data))
    assert values_of("P1")["street"] == '1 "Main" St Rear'
    assert values_of("P2")["street"] == "x"


def failed(data: bytes | str) -> str:
    owner = make_import(data)
    imports.check(owner, by=make_staff())
    owner = finish(owner)
    assert owner.state == State.FAILED
    assert not Contact.objects.exists()
    return str(owner.problems["message"])


def test_a_quotation_mark_that_is_never_closed_fails_the_file_and_names_the_line() -> None:
    assert "opened on line 3 is never closed" in failed(
        'id,email\nP1,a@example.com\nP2,"b@example.com\nP3,c@example.com\n'
    )


def test_a_header_without_rows_is_said_so() -> None:
    assert "no rows" in failed("id,email\n")


def test_a_cell_of_ten_megabytes_is_refused_and_the_rest_goes_in() -> None:
    data = "id,email,city\nP1,a@example.com," + "x" * 10_000_000 + "\nP2,b@example.com,y\n"
    owner = run_import(make_import(data))
    assert counts(owner) == (1, 0, 0, 1)
    assert "131,072" in refused(owner)[0][1]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"PK\x03\x04abc", "workbook"),
        (b"%PDF-1.7", "document or an archive"),
        (bytes(1000), "not a text file"),
        (b"\n\n  \n", "no rows"),
    ],
)
def test_what_is_no_table_is_refused_on_arrival(data: bytes, says: str) -> None:
    with pytest.raises(errors.BadFile, match=says):
        make_import(data)


def test_headers_that_repeat_or_are_missing_are_told_apart() -> None:
    owner = make_import("id,email,note,note,\nP1,a@example.com,1,2,3\n")
    assert owner.mapping["headers"] == ["id", "email", "note", "note (4)", "Column 5"]
    assert head.read(owner, header=True).duplicates == ["note"]


def test_a_file_without_header_keeps_its_first_row() -> None:
    owner = make_import("P1,a@example.com\nP2,b@example.com\n")
    assert owner.mapping["header"] is False
    imports.set_columns(owner, columns=["external_id", "email"], day_first=False, by=make_staff())
    assert run_import(owner).created_count == 2


def test_a_mapping_is_remembered_for_the_same_columns() -> None:
    by = make_staff()
    owner = make_import(FILE)
    columns = ["external_id", "email", "last_name", "first_name", "", "city"]
    imports.set_columns(owner, columns=columns, day_first=True, by=by)
    assert SavedMapping.objects.count() == 1
    again = make_import(FILE.replace("P1", "P9"))
    assert (again.mapping["columns"], again.mapping["day_first"]) == (columns, True)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["", "", "first_name", "", "", ""], "External id or to Email"),
        (["email", "email", "", "", "", ""], "Two columns are both mapped to Email"),
        (["external_id", "email", "gone", "", "", ""], "no longer exists"),
        (["external_id", "email", "conditions", "", "", ""], "no longer exists"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(columns: list[str], says: str) -> None:
    with pytest.raises(errors.BadMapping, match=says):
        imports.set_columns(make_import(FILE), columns=columns, day_first=False, by=make_staff())


def shifted(n: int) -> str:
    rows = [(f"S{i}", f"s{(i + 1) % n}@example.com") for i in range(n)]
    return table([("id", "email"), *rows])


def test_a_file_shifted_by_one_row_is_stopped_until_a_person_says_why() -> None:
    make_people(200, external_id=lambda i: f"S{i}", email=lambda i: f"s{i}@example.com")
    by = make_staff()
    owner = make_import(shifted(200))
    imports.check(owner, by=by)
    owner = finish(owner)
    assert (owner.state, owner.address_changes) == (State.STOPPED, 200)
    assert owner.problems["addresses"][0][2:] == ["s•••@e•••.com", "s•••@e•••.com"]
    with pytest.raises(errors.WrongState):
        imports.start(owner, by=by)
    with pytest.raises(errors.NeedsReason):
        imports.release(owner, reason=" ", by=by)
    imports.release(owner, reason="The clinic moved to new addresses", by=by)
    owner.refresh_from_db()
    imports.start(owner, by=by)
    assert finish(owner).changed_count == 200
    assert values_of("S0")["email"] == "s1@example.com"


def test_up_to_one_per_cent_of_changed_addresses_pass() -> None:
    make_people(200, external_id=lambda i: f"S{i}", email=lambda i: f"s{i}@example.com")
    rows = [(f"S{i}", f"{'new' if i < 2 else ''}s{i}@example.com") for i in range(200)]
    owner = make_import(table([("id", "email"), *rows]))
    imports.check(owner, by=make_staff())
    assert finish(owner).state == State.CHECKED
    three = [(f"S{i}", f"{'new' if i < 3 else ''}s{i}@example.com") for i in range(200)]
    owner = make_import(table([("id", "email"), *three]))
    imports.check(owner, by=make_staff())
    assert finish(owner).state == State.STOPPED


def test_addresses_that_changed_after_the_dry_run_stop_the_run() -> None:
    make_people(6, external_id=lambda i: f"S{i}", email=lambda i: f"s{i}@example.com")
    by = make_staff()
    owner = make_import(table([("id", "email"), *[(f"S{i}", f"s{i}@example.com") for i in range(6)]]))
    imports.check(owner, by=by)
    owner = finish(owner)
    moved = queries.by_external_id("S4")
    commands.update(Contact.objects.get(pk=moved), values={"email": "fresh@example.com"}, by=SYSTEM)
    imports.start(owner, by=by)
    owner = finish(owner)
    assert (owner.state, owner.rows_done) == (State.STOPPED, 3)
    assert values_of("S4")["email"] == "fresh@example.com"
    assert imports.may_undo(owner)
    imports.release(owner, reason="The file is newer", by=by)
    owner.refresh_from_db()
    assert (finish(owner).state, owner.rows_done) == (State.FINISHED, 6)
    assert values_of("S4")["email"] == "s4@example.com"


CODED = """START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION
2019-01-01,,P1,e1,44054006,Diabetes
2020-01-01T10:00:00Z,2020-02-01,P1,e2,10509002,Acute bronchitis
2018-05-05,,P2,e3,38341003,Hypertension
2021-01-01,,P1,e4,38341003,Hypertension
2021-01-01,2020-01-01,P2,e5,1,Backwards
2021-01-01,,P7,e6,1,Unknown person
"""


def test_many_rows_a_person_fold_into_a_coded_list() -> None:
    make_people(2, external_id=lambda i: f"P{i + 1}")
    by, conditions = make_staff(), queries.attributes()["conditions"]
    owner = make_import(CODED, shape="coded")
    columns = owner.mapping["columns"]
    assert columns == ["start", "stop", "person", "", "code", "display"]
    imports.set_columns(owner, columns=columns, day_first=False, coded_attribute=conditions, by=by)
    owner = run_import(owner, by=by)
    assert counts(owner) == (0, 2, 0, 2)
    assert [reason for _, reason, _ in refused(owner)] == [
        "an entry stops before it starts",
        "nobody has this external id",
    ]
    one = queries.by_external_id("P1")
    assert one
    assert queries.open_many([one])[one].coded["conditions"] == [
        Coded("44054006", "Diabetes", "2019-01-01"),
        Coded("10509002", "Acute bronchitis", "2020-01-01", "2020-02-01"),
        Coded("38341003", "Hypertension", "2021-01-01"),
    ]
    again = make_import(CODED, shape="coded")
    assert again.coded_attribute == conditions
    assert counts(run_import(again)) == (0, 0, 2, 2)


def test_undoing_takes_back_what_was_not_changed_since() -> None:
    make_people(1, external_id="P1", email="ada@example.com", first_name="Augusta", last_name="Byron")
    by = make_staff()
    owner = run_import(make_import(FILE), by=by)
    grace = queries.by_external_id("P2")
    commands.update(Contact.objects.get(pk=grace), values={"city": "New York"}, by=SYSTEM)
    imports.undo(owner, by=by)
    owner = finish(owner)
    assert (owner.state, owner.problems["kept"]) == (State.UNDONE, 1)
    assert values_of("P1")["first_name"] == "Augusta"
    assert values_of("P2")["city"] == "New York"
    assert queries.by_external_id("P3") is None
    with pytest.raises(errors.WrongState):
        imports.undo(owner, by=by)


def test_undoing_a_file_with_many_rows_a_person_goes_back_chunk_by_chunk() -> None:
    make_people(2, external_id=lambda i: f"P{i + 1}")
    before = dict(Contact.objects.values_list("id", "sealed"))
    by = make_staff()
    owner = make_import(CODED, shape="coded")
    imports.set_columns(
        owner,
        columns=owner.mapping["columns"],
        day_first=False,
        coded_attribute=queries.attributes()["conditions"],
        by=by,
    )
    owner = run_import(owner, by=by)
    imports.undo(owner, by=by)
    assert finish(owner).problems["kept"] == 0
    assert dict(Contact.objects.values_list("id", "sealed")) == before


def test_only_the_last_import_can_be_undone() -> None:
    by = make_staff()
    first = run_import(make_import(FILE), by=by)
    run_import(make_import("id,email\nQ1,q@example.com\n"), by=by)
    assert not imports.may_undo(first)
    with pytest.raises(errors.WrongState):
        imports.undo(first, by=by)


def test_deleting_a_person_destroys_what_the_undo_kept_of_them() -> None:
    make_people(1, external_id="P1", email="ada@example.com", first_name="Augusta", last_name="Byron")
    by = make_staff()
    owner = run_import(make_import(FILE), by=by)
    ada = Contact.objects.get(pk=queries.by_external_id("P1"))
    commands.delete(ada, by=by)
    for place in chunks.Box(owner).positions(chunks.UNDO):
        assert b"Augusta" not in (chunks.Box(owner).take(chunks.UNDO, place) or b"")
    imports.undo(owner, by=by)
    finish(owner)
    assert queries.by_external_id("P1") is None


def test_a_worker_killed_at_any_moment_loses_and_repeats_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every transaction of the import dies once at its end; the next worker takes over after the lease."""
    data = table([("id", "email"), *[(f"K{i}", f"k{i}@example.com") for i in range(20)]])
    by = make_staff()
    owner = make_import(data)
    imports.check(owner, by=by)
    real, deaths = take.take, []

    class Killed(BaseException):
        pass

    def dying(target: Import) -> None:
        real(target)
        if target.next_position not in deaths:
            deaths.append(target.next_position)
            raise Killed

    def until_rest() -> None:
        for _ in range(40):
            try:
                if not engine.work(owner.pk):
                    return
            except Killed:
                Import.objects.filter(pk=owner.pk).update(leased_until=None)

    monkeypatch.setattr(engine, "take", dying)
    until_rest()
    deaths.clear()
    owner.refresh_from_db()
    assert (owner.state, counts(owner)) == (State.CHECKED, (20, 0, 0, 0))
    imports.start(owner, by=by)
    until_rest()
    owner.refresh_from_db()
    assert len(deaths) == 7
    assert (owner.state, counts(owner), owner.rows_done) == (State.FINISHED, (20, 0, 0, 0), 20)
    assert Contact.objects.count() == ImportTouch.objects.count() == 20


def test_a_worker_whose_lease_was_taken_writes_nothing_any_more() -> None:
    owner = make_import(FILE)
    imports.check(owner, by=make_staff())
    epoch = lease.take(owner.pk)
    assert epoch
    assert lease.take(owner.pk) is None
    Import.objects.filter(pk=owner.pk).update(leased_until=None)
    assert lease.take(owner.pk) == epoch + 1
    with pytest.raises(errors.LeaseLost):
        engine.step(owner.pk, epoch)


def test_a_fault_leaves_the_import_failed_and_it_can_be_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    by = make_staff()
    owner = make_import(FILE)
    imports.check(owner, by=by)
    owner = finish(owner)
    imports.start(owner, by=by)
    with monkeypatch.context() as patch:
        patch.setattr("contacts.upsert.apply", lambda planned: 1 / 0)
        owner = finish(owner)
    assert (owner.state, owner.problems["failed_in"]) == (State.FAILED, State.RUNNING)
    assert "ZeroDivisionError" in owner.problems["message"]
    imports.resume(owner, by=by)
    assert finish(owner).created_count == 3


SIX = "id,email\n" + "".join(f"U{i},u{i}@example.com\n" for i in range(6))


def half_undone(monkeypatch: pytest.MonkeyPatch) -> Import:
    """An import of six whose undo failed after three."""
    by = make_staff()
    owner = run_import(make_import(SIX), by=by)
    imports.undo(owner, by=by)
    real = undo.take_back

    def failing(target: Import) -> Any:
        return real(target) if target.next_position == 2 else 1 / 0

    with monkeypatch.context() as patch:
        patch.setattr(undo, "take_back", failing)
        owner = finish(owner)
    assert (owner.state, owner.problems["failed_in"]) == (State.FAILED, State.UNDOING)
    assert Contact.objects.count() == 3
    return owner


def checked(data: str) -> Import:
    owner = make_import(data)
    imports.check(owner, by=make_staff())
    return finish(owner)


def test_nothing_starts_while_an_undo_is_half_done_and_the_undo_then_takes_everybody_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by = make_staff()
    first, second = half_undone(monkeypatch), checked(FILE)
    with pytest.raises(errors.WrongState, match="failed half-way"):
        imports.start(second, by=by)
    imports.resume(first, by=by)
    assert finish(first).state == State.UNDONE
    assert not Contact.objects.exists()
    imports.start(second, by=by)
    assert finish(second).created_count == 3


def test_an_undo_whose_way_back_is_gone_does_not_say_it_was_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    by = make_staff()
    first, second = half_undone(monkeypatch), checked(FILE)
    Import.objects.filter(pk=second.pk).update(state=State.FINISHED, started_at=clock.now())
    with pytest.raises(errors.WrongState, match="no longer kept"):
        imports.resume(first, by=by)
    first.refresh_from_db()
    assert first.state == State.FAILED
    third = checked(FILE.replace("P1", "P8"))
    imports.start(third, by=by)  # and it blocks nobody for ever
    assert finish(third).state == State.FINISHED


def test_a_stopped_run_is_not_released_beside_another_one() -> None:
    by = make_staff()
    stopped, other = checked(FILE), checked(SIX)
    stopped.problems = {**stopped.problems, "stopped_in": State.RUNNING.value}
    stopped.state, stopped.started_at = State.STOPPED, clock.now()
    stopped.save()
    imports.start(other, by=by)
    with pytest.raises(errors.WrongState, match="Another import is running"):
        imports.release(stopped, reason="They are right", by=by)
    stopped.refresh_from_db()
    assert (stopped.state, Reason.objects.count()) == (State.STOPPED, 0)
    finish(other)
    imports.release(stopped, reason="They are right", by=by)
    stopped.refresh_from_db()
    assert stopped.state == State.RUNNING


@pytest.fixture
def heard() -> Iterator[list[dict[str, Any]]]:
    news: list[dict[str, Any]] = []

    def hear(sender: object, signal: object, **said: Any) -> None:
        news.append(said)

    signals.people_imported.connect(hear)
    yield news
    signals.people_imported.disconnect(hear)


def test_consent_is_told_of_exactly_those_taken_and_only_if_stated(heard: list[dict[str, Any]]) -> None:
    by = make_staff()
    make_people(1, external_id="P1", email="ada@example.com")
    run_import(make_import(FILE.replace("alan@", "alan")), by=by)
    assert heard == []
    owner = make_import(FILE.replace("alan@", "alan"))
    stated = {
        "topics": [],
        "source": "paper form",
        "given_on": "2026-01-01",
        "text": "Yes",
        "address_confirmed": False,
    }
    imports.set_consent(owner, consent=stated, by=by)
    owner = run_import(owner, by=by)
    assert owner.state == State.FINISHED, owner.problems
    told: set[UUID] = {i for said in heard for i in [*said["created_ids"], *said["matched_ids"]]}
    assert told == set(Contact.objects.values_list("id", flat=True))
    assert len(told) == 2
    assert heard[0]["consent"] == stated
    assert heard[0]["by"].id == str(by.pk)


def test_nothing_of_the_file_is_readable_in_the_database() -> None:
    canary = "Zanzibar-7731"
    run_import(make_import(FILE.replace("Ada", canary).replace("P3,", "P3,bad")))
    for chunk in ImportChunk.objects.all():
        assert canary.encode() not in bytes(chunk.sealed)
    assert not ImportChunk.objects.filter(kind__in=[chunks.SOURCE, chunks.ROWS]).exists()
    assert not ImportKey.objects.exists()
    assert canary not in str(list(Entry.objects.values_list("details", flat=True)))


@pytest.mark.skipif(not (SHARED / "synthea/csv").exists(), reason="the shared patients are not here")
def test_synthea_patients_and_their_conditions_come_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contacts.importing.parse.CHUNK_ROWS", 500)
    by = make_staff()
    folder = SHARED / "synthea/csv"
    patients = list(csv.reader(io.StringIO((folder / "patients.csv").read_text(encoding="utf-8"))))
    rows = [(*patients[0], "EMAIL"), *[(*row, f"p{i}@example.com") for i, row in enumerate(patients[1:])]]
    owner = make_import(table(rows))
    mapped = {name: key for name, key in zip(owner.mapping["headers"], owner.mapping["columns"], strict=True) if key}
    assert mapped == {
        "Id": "external_id", "BIRTHDATE": "birth_date", "FIRST": "first_name", "LAST": "last_name", "GENDER": "sex",
        "ADDRESS": "street", "CITY": "city", "STATE": "state", "ZIP": "zip", "EMAIL": "email",
    }  # fmt: skip
    owner = run_import(owner, by=by)
    assert counts(owner) == (59, 0, 0, 0)
    for name, key in (("conditions", "conditions"), ("medications", "medications"), ("encounters", "visits")):
        owner = make_import((folder / f"{name}.csv").read_bytes(), shape="coded")
        attribute = queries.attributes()[key]
        imports.set_columns(owner, columns=owner.mapping["columns"], day_first=False, coded_attribute=attribute, by=by)
        owner = run_import(owner, by=by)
        assert owner.refused_count == 0
        assert owner.changed_count > 40


def running() -> Import:
    """An import of six with three of them taken, and a worker that holds its lease."""
    owner = checked(SIX)
    imports.start(owner, by=make_staff())
    epoch = lease.take(owner.pk)
    assert epoch
    engine.step(owner.pk, epoch)
    owner.refresh_from_db()
    assert (owner.state, owner.rows_done) == (State.RUNNING, 3)
    return owner


def test_cancelling_keeps_what_was_taken_and_the_worker_writes_nothing_more() -> None:
    by, owner = make_staff(), running()
    epoch = owner.lease_epoch
    owner = imports.cancel(owner, by=by)
    assert not engine.step(owner.pk, epoch)
    assert (finish(owner).state, Contact.objects.count()) == (State.CANCELLED, 3)
    assert not ImportChunk.objects.exclude(kind=chunks.UNDO).exists()
    assert Entry.objects.get(action="import.cancelled").details == {"rows": 3, "undo": False, "state": "RUNNING"}
    with pytest.raises(errors.WrongState, match="not running any more"):
        imports.cancel(owner, by=by)
    assert counts(run_import(make_import(SIX), by=by)) == (3, 0, 3, 0)


def test_cancelling_can_take_back_what_was_taken() -> None:
    owner = imports.cancel(running(), undo=True, by=make_staff())
    assert owner.state == State.UNDOING
    assert (finish(owner).state, Contact.objects.count()) == (State.UNDONE, 0)


def test_what_a_cancelled_import_left_can_be_undone_later() -> None:
    by, owner = make_staff(), running()
    owner = imports.cancel(owner, by=by)
    assert imports.may_undo(owner)
    imports.undo(owner, by=by)
    assert (finish(owner).state, Contact.objects.count()) == (State.UNDONE, 0)


def test_a_dry_run_that_is_stopped_starts_again_from_its_columns() -> None:
    by, owner = make_staff(), make_import(SIX)
    imports.check(owner, by=by)
    epoch = lease.take(owner.pk)
    assert epoch
    engine.step(owner.pk, epoch)  # parsed
    engine.step(owner.pk, epoch)  # three of six
    owner = imports.cancel(owner, by=by)
    assert (owner.state, owner.rows_done) == (State.UPLOADED, 0)
    assert not ImportKey.objects.exists()
    assert counts(run_import(owner, by=by)) == (6, 0, 0, 0)


def test_an_undo_that_has_begun_cannot_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.WrongState):
        imports.cancel(half_undone(monkeypatch), by=make_staff())


def test_an_attribute_changed_after_the_dry_run_needs_another_dry_run() -> None:
    by = make_staff()
    owner = checked("id,email,sex\nP1,ada@example.com,F\n")
    sex = queries.attributes()["sex"]
    Attribute.objects.filter(pk=sex.pk).update(choices=["female", "male"])
    with pytest.raises(errors.WrongState, match="repeat the dry run"):
        imports.start(owner, by=by)
    imports.check(owner, by=by)
    owner = finish(owner)
    imports.start(owner, by=by)
    assert finish(owner).created_count == 1


def test_a_chunk_is_taken_again_if_one_of_its_people_was_added_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it wrote of the others goes first; in this test so does who came between, for there is one connection."""
    owner, real, looks = checked(SIX), upsert.hold, []

    def meanwhile(*args: Any, **kwargs: Any) -> upsert.Held:
        held = real(*args, **kwargs)
        looks.append(held)
        if len(looks) == 1:
            with monkeypatch.context() as patch:
                patch.setattr(upsert, "hold", real)
                make_people(1, external_id="U1", email="u1@example.com")
        return held

    monkeypatch.setattr(upsert, "hold", meanwhile)
    imports.start(owner, by=make_staff())
    assert counts(finish(owner)) == (6, 0, 0, 0)
    assert len(looks) == 3
    assert ImportTouch.objects.count() == Contact.objects.count() == 6


def test_what_the_import_reads_of_a_chunk_is_what_the_dry_run_understood() -> None:
    """Parsed once: the rows are not looked at again, and nothing the dry run refused comes in."""
    owner = checked("id,email\nP1,ada@example.com\nP1,eve@example.com\nP2,bad\nP3,cy@example.com\n")
    assert counts(owner) == (2, 0, 0, 2)
    ImportChunk.objects.filter(owner=owner, kind=chunks.ROWS, position=1).delete()  # the chunk without refusals
    imports.start(owner, by=make_staff())
    owner = finish(owner)
    assert (owner.state, counts(owner)) == (State.FINISHED, (2, 0, 0, 2))
    assert [line for line, _, _ in refused(owner)] == [3, 4]
