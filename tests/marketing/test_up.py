"""`manage.py up` as a newcomer meets it: real processes in a home of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.marketing.ports import free_port
from tests.workers import wait_for

pytestmark = [
    pytest.mark.workers,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]


def free_ports() -> tuple[int, int]:
    return free_port(), free_port()


def left_over(home: Path) -> list[str]:
    """Command lines and environments of living processes that belong to this home."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        mark = f"CARILLON_HOME={home}\0".encode()
        if command and (mark in environment or f"{home}/postgres".encode() in command):
            found.append(command.replace(b"\0", b" ").decode())
    return found


class Run:
    """One `manage.py up`, started in its own session as a terminal would."""

    def __init__(self, home: Path, port: int, mail_port: int, *arguments: str) -> None:
        self.home, self.port = home, port
        self.log = home.with_suffix(f".{len(list(home.parent.glob('*.log')))}.log")
        own = ("CARILLON_", "DATABASE_", "DJANGO_", "PYTEST")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *arguments],
                cwd=settings.BASE_DIR,
                env={**kept, "CARILLON_HOME": str(home), "PORT": str(port), "MAIL_PORT": str(mail_port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def await_ready(self) -> None:
        wait_for(lambda: self.process.poll() is not None or "Ctrl-C stops it" in self.said(), seconds=90)
        assert self.process.poll() is None, self.said()

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    wait_for(lambda: not left_over(home), seconds=20)


def test_a_run_starts_stops_and_starts_again_with_its_data(home: Path) -> None:
    port, mail_port = free_ports()
    first = Run(home, port, mail_port)
    try:
        first.await_ready()
        assert first.get("/healthz") == (200, "ok")
        links = re.findall(rf"http://localhost:{port}(/account/local/\S+)", first.said())
        assert len(links) == 5
        assert "Sign in" in first.get(links[1])[1]
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(40) == 0
        assert first.said().rstrip().endswith("Stopped.")
        assert not left_over(home)
    finally:
        first.end()
    second = Run(home, port, mail_port)
    try:
        second.await_ready()
        assert "Making the demo clinic" in first.said()
        assert "Making the demo clinic" not in second.said()
        assert len(re.findall("/account/local/", second.said())) == 5
        second.process.kill()  # no chance to tidy up: the kernel does
        second.process.wait()
        wait_for(lambda: not left_over(home), seconds=20)
    finally:
        second.end()


@pytest.mark.parametrize("taken", ["PORT", "MAIL_PORT"])
def test_a_port_in_use_is_said_in_one_line_with_the_way_out(home: Path, taken: str) -> None:
    ports = dict(zip(("PORT", "MAIL_PORT"), free_ports(), strict=True))
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[taken]))
        other.listen()
        run = Run(home, ports["PORT"], ports["MAIL_PORT"], "--empty")
        assert run.process.wait(60) == 1
    (line,) = run.said().strip().splitlines()
    assert f"Port {ports[taken]} is in use" in line
    assert f"make run {taken}=" in line


def test_a_home_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CARILLON_", "DATABASE_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=settings.BASE_DIR,
        env={**environment, "CARILLON_HOME": str(tmp_path / "file" / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "CARILLON_HOME" in line
