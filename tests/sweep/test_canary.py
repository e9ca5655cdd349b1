"""The sweep finds every form that is planted; and nothing that is not."""

import base64
import gzip
import html
import json
import quopri
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from tests.canary import Sweep, forms, sweep

CANARY = "Zoë <Kanari> 7f3a?"
PLANTED: dict[str, Callable[[str], bytes]] = {
    "raw": lambda c: c.encode(),
    "UTF-16 little": lambda c: c.encode("utf-16-le"),
    "UTF-16 big, with a mark": lambda c: c.encode("utf-16"),
    "JSON": lambda c: json.dumps({"name": c}).encode(),
    "HTML": lambda c: html.escape(c).encode(),
    "percent": lambda c: quote(c).encode(),
    "quoted-printable": lambda c: quopri.encodestring(c.encode()),
    "base64 alone": lambda c: base64.b64encode(c.encode()),
    "base64 one in": lambda c: base64.b64encode(b"1" + c.encode() + b"after"),
    "base64 two in": lambda c: base64.b64encode(b"12" + c.encode() + b"a"),
    "base64 for addresses": lambda c: base64.urlsafe_b64encode(b"x" * 30 + c.encode()),
    "base64 of UTF-16": lambda c: base64.b64encode(b"q" + c.encode("utf-16-le")),
    "hex": lambda c: c.encode().hex().encode(),
    "HEX": lambda c: c.encode().hex().upper().encode(),
    "hex of JSON": lambda c: json.dumps(c).encode().hex().encode(),
    "hex of base64": lambda c: base64.b64encode(b"1" + c.encode()).hex().encode(),
    "gzip": lambda c: gzip.compress(c.encode()),
}


@pytest.mark.parametrize("form", PLANTED)
@pytest.mark.parametrize("canary", [CANARY, "plain-canary-0042"])
def test_every_planted_form_is_found(form: str, canary: str) -> None:
    data = PLANTED[form](canary)
    if form != "gzip":
        data = b"\x00\xff before " + data + b" after"
    hits = sweep([canary, "another-canary"], database=False, texts={"here": data})
    assert hits, form
    assert {hit.canary for hit in hits} == {canary}


def test_a_canary_across_two_chunks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.canary.CHUNK", 1000)
    for place in range(985, 1005):
        assert sweep([CANARY], database=False, texts={"x": b"." * place + CANARY.encode() + b"." * 2500})


def test_what_is_not_there_is_not_found() -> None:
    other = "".join(chr(33 + n % 90) for n in range(20_000))
    assert not sweep([CANARY], database=False, texts={"x": other, "y": b"", "z": bytes(range(256)) * 50})


def test_files_folders_names_and_archives_are_searched(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log.txt").write_text(f"{CANARY} was here")
    (tmp_path / "plain-canary-0042.csv").write_text("nothing")
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", f"x,{CANARY}\n" * 50)
    (tmp_path / "old.log.gz").write_bytes(gzip.compress(CANARY.encode() * 100))
    places = {
        hit.place.removeprefix(f"{tmp_path}/")
        for hit in sweep([CANARY, "plain-canary-0042"], database=False, folders=[tmp_path])
    }
    assert {"deep/log.txt", "export.zip/rows.csv", "old.log.gz (gzip)"} <= places
    assert any(place.startswith("name of") for place in places)


@pytest.mark.parametrize("canary", ["", "short", "1234567"])
def test_a_canary_that_chance_might_make_is_refused(canary: str) -> None:
    with pytest.raises(ValueError, match="too short"):
        Sweep([canary])


@pytest.mark.django_db(transaction=True)
def test_every_table_is_searched_text_json_bytes_and_other_schemas(tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS planted")
        cursor.execute("CREATE TABLE planted.job (id int, message jsonb, body bytea, note text)")
        try:
            cursor.execute("INSERT INTO planted.job VALUES (1, %s, NULL, NULL)", [json.dumps({"a": CANARY})])
            assert {hit.place for hit in sweep([CANARY])} == {"table planted.job"}
            cursor.execute("UPDATE planted.job SET message = NULL, body = %s", [CANARY.encode("utf-16-le")])
            assert {hit.form for hit in sweep([CANARY])} == {"hex"}
            cursor.execute(
                "UPDATE planted.job SET body = NULL, note = %s", [base64.b64encode(b"1" + CANARY.encode()).decode()]
            )
            assert {hit.form for hit in sweep([CANARY])} == {"base64"}
            cursor.execute("UPDATE planted.job SET note = NULL")
            cursor.execute(f"COMMENT ON TABLE planted.job IS '{CANARY}'")
            assert {hit.place for hit in sweep([CANARY])} == {"the database's definitions"}
        finally:
            cursor.execute("DROP SCHEMA planted CASCADE")
    assert not sweep([CANARY])


@pytest.mark.django_db(transaction=True)
def test_the_servers_own_files_are_searched_where_they_can_be_read() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE planted_wal (note text)")
        cursor.execute("INSERT INTO planted_wal VALUES ('canary-in-the-wal-1a2b3c')")
        cursor.execute("DROP TABLE planted_wal")
    found = Sweep(["canary-in-the-wal-1a2b3c"])
    if not found.server_files():
        pytest.skip("the server's data folder is not readable from here")
    assert any("pg_wal" in hit.place for hit in found.hits)


def test_forms_are_named() -> None:
    assert set(forms(CANARY)) == {"raw", "UTF-16", "JSON", "HTML", "percent", "quoted-printable", "base64", "hex"}
