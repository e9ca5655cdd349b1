import os
import socket
import time
from pathlib import Path
from threading import Event, Timer

import pytest

from marketing.postgres import CannotStart
from marketing.processes import GIVE_UP_AFTER, Child, Crew, check_port, run_once
from tests.workers import wait_for


def crew(said: list[str]) -> Crew:
    return Crew(dict(os.environ), said.append)


def test_a_child_that_dies_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    mark = tmp_path / "mark"
    code = (
        f"import pathlib, sys, time; mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists(): mark.touch(); sys.exit(3)\n"
        "time.sleep(60)"
    )
    running = crew(said)
    child = Child("worker", ["-c", code])
    running.start(child)
    first = child.process
    Timer(4, running.stopping.set).start()
    assert running.watch(lambda: True) is True
    assert said == ["The worker stopped (exit code 3); starting it again."]
    assert child.process is not first
    running.stop()
    assert not child.running


def test_a_child_that_keeps_dying_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    running = crew(said)
    monkeypatch.setattr(running.stopping, "wait", lambda seconds: time.sleep(0.1))
    running.start(Child("beat", ["-c", "raise SystemExit(7)"]))
    assert running.watch(lambda: True) is False
    assert len(said) == GIVE_UP_AFTER
    assert said[-1].startswith("The beat keeps stopping (exit code 7)")
    running.stop()


def test_a_database_that_dies_stops_the_run() -> None:
    said: list[str] = []
    assert crew(said).watch(lambda: False) is False
    assert "PostgreSQL stopped" in said[0]


def test_stopping_leaves_no_grandchild(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"pathlib.Path({str(note)!r}).write_text(str(p.pid)); time.sleep(60)"
    )
    running = crew([])
    running.start(Child("stubborn", ["-c", code]))
    wait_for(lambda: note.exists() and note.read_text() != "")
    from marketing import processes

    processes.PATIENCE, patience = 0.5, processes.PATIENCE
    try:
        running.stop()
    finally:
        processes.PATIENCE = patience
    stat = Path(f"/proc/{note.read_text()}/stat")
    wait_for(lambda: not stat.exists() or stat.read_text().split()[2] == "Z", seconds=5)


def test_a_step_that_fails_stops_the_start() -> None:
    with pytest.raises(CannotStart, match="failed"):
        run_once(["-c", "raise SystemExit(1)"], dict(os.environ), Event())


def test_a_step_ends_early_when_asked_to_stop() -> None:
    stopping = Event()
    Timer(0.3, stopping.set).start()
    began = time.monotonic()
    run_once(["-c", "import time; time.sleep(60)"], dict(os.environ), stopping)
    assert time.monotonic() - began < 20


def test_a_port_in_use_names_the_way_out() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"make run PORT={port + 1}"):
            check_port(port, "PORT")
