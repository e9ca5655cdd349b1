"""The embedded server, made and broken for real in throw-away folders."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from marketing import postgres
from marketing.postgres import CannotStart, Server
from tests.workers import wait_for


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pg") / "postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder, throwaway=True, say=lambda line: None)
    yield server
    server.stop()


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as db:
        row = db.execute(question).fetchone()
    return row[0] if row else None


def test_data_outlives_a_restart_but_the_password_does_not(server: Server) -> None:
    first = server.start()
    with psycopg.connect(first, autocommit=True) as db:
        db.execute("CREATE TABLE kept AS SELECT 42 AS n")
    server.stop()
    second = server.start()
    assert ask(second, "SELECT n FROM kept") == 42
    assert first != second
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)


def test_the_application_is_no_superuser_and_nobody_listens_on_tcp(server: Server) -> None:
    url = server.start()
    assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert ask(url, "SHOW listen_addresses") == ""
    assert ask(url, "SHOW password_encryption") == "scram-sha-256"


def test_url_and_folders_are_for_their_owner_only(server: Server, folder: Path) -> None:
    url = server.start()
    assert (folder / "url").read_text().strip() == url
    assert (folder / "url").stat().st_mode & 0o777 == 0o600
    for private in (folder, folder / "data"):
        assert private.stat().st_mode & 0o077 == 0


def test_a_wrong_password_does_not_open_the_socket(server: Server) -> None:
    url = server.start()
    password = url.split(":", 2)[2].split("@", 1)[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "wrong"))


def test_a_statement_that_fails_leaves_no_value_in_the_log(server: Server, folder: Path) -> None:
    url = server.start()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE t (v text UNIQUE)")
        db.execute("INSERT INTO t VALUES ('canary-4711')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            db.execute("INSERT INTO t VALUES ('canary-4711')")
    assert "canary-4711" not in (folder / "log").read_text()


def test_a_half_made_folder_is_made_anew(server: Server, folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    (folder / "data").mkdir()
    assert ask(server.start(), "SELECT 1") == 1
    assert not (folder / "data.new").exists()


def test_an_incomplete_folder_with_content_is_set_aside_and_said(folder: Path) -> None:
    (folder / "data" / "base").mkdir(parents=True)
    (folder / "data" / "base" / "something").write_text("somebody's")
    said: list[str] = []
    server = Server(folder, throwaway=True, say=said.append)
    server.start()
    server.stop()
    assert "data.incomplete-" in said[0]
    (aside,) = folder.glob("data.incomplete-*")
    assert (aside / "base" / "something").read_text() == "somebody's"


def test_the_pid_file_of_a_dead_server_is_no_obstacle(server: Server, folder: Path) -> None:
    server.start()
    server.stop()
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n/elsewhere\n")
    assert ask(server.start(), "SELECT 1") == 1


def test_a_second_server_on_the_same_folder_is_refused(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(CannotStart, match="already runs from"):
        Server(folder, throwaway=True).start()


def test_a_path_too_long_for_a_socket_gets_another_socket_folder(tmp_path: Path) -> None:
    server = Server(tmp_path / ("long" * 30) / "with space", throwaway=True)
    try:
        assert ask(server.start(), "SELECT 1") == 1
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("FATAL: could not write file: No space left on device", "No disk space left"),
        ("initdb: error: could not create directory: Permission denied", "cannot be written"),
        ("noise\n2026 FATAL:  something odd\nmore", "PostgreSQL could not start: 2026 FATAL:  something odd"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(output: str, says: str, tmp_path: Path) -> None:
    line = postgres._plain(output, tmp_path)
    assert line.startswith(says) or says in line
    assert "\n" not in line


def test_no_disk_space_is_said_before_anything_is_made(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ROOM_NEEDED", 1 << 60)
    with pytest.raises(CannotStart, match="No disk space left"):
        server.start()
    assert not (folder / "data").exists()


def test_data_of_another_version_is_not_touched(server: Server, folder: Path) -> None:
    (folder / "data" / "global").mkdir(parents=True)
    (folder / "data" / "global" / "pg_control").write_bytes(b"x")
    (folder / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(CannotStart, match="made by PostgreSQL 9"):
        server.start()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_the_server_dies_with_its_parent_however_that_dies(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from marketing.postgres import Server;"
        f"Server(Path({str(folder)!r}), throwaway=True).start(); print('up', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), seconds=10)
