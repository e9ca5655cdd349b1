"""The processes of a local run: started together, watched, and stopped so that nothing is left."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event

from marketing.environment import BASE_DIR
from marketing.postgres import CannotStart, die_with_parent

#: A child that dies this often within a minute will not be helped by one more start.
GIVE_UP_AFTER = 5
#: Seconds a child has to finish what it is doing before it is killed.
PATIENCE = 10.0


@dataclass
class Child:
    """One program of ours. `orphan_signal`: what Linux sends it when we are killed."""

    name: str
    command: list[str]
    orphan_signal: int = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    def start(self, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *self.command],
            cwd=BASE_DIR,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to us alone; we stop them in order
            preexec_fn=lambda: die_with_parent(self.orphan_signal),
        )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Crew:
    """Children started in order, restarted when they die, stopped in reverse order."""

    def __init__(self, env: Mapping[str, str], say: Callable[[str], None] = print) -> None:
        self.env = env
        self.say = say
        self.children: list[Child] = []
        self.stopping = Event()

    def start(self, child: Child) -> None:
        child.start(self.env)
        self.children.append(child)

    def watch(self, database_alive: Callable[[], bool]) -> bool:
        """Stay until asked to stop (True), or until something cannot be kept alive (False)."""
        while not self.stopping.wait(0.25):
            if not database_alive():
                self.say("PostgreSQL stopped; stopping everything. Its log is beside its data.")
                return False
            for child in self.children:
                if not child.running and not self._revive(child):
                    return False
        return True

    def _revive(self, child: Child) -> bool:
        now = time.monotonic()
        child.deaths = [at for at in child.deaths if now - at < 60] + [now]
        code = child.process.returncode if child.process else None
        if len(child.deaths) >= GIVE_UP_AFTER:
            self.say(
                f"The {child.name} keeps stopping (exit code {code}); stopping everything. See its messages above."
            )
            return False
        self.say(f"The {child.name} stopped (exit code {code}); starting it again.")
        if not self.stopping.wait(0.5 * len(child.deaths)):
            child.start(self.env)
        return True

    def stop(self) -> None:
        """Ask all, wait, kill what is left together with what it started."""
        for child in reversed(self.children):
            if child.running and child.process:
                child.process.terminate()
        deadline = time.monotonic() + PATIENCE
        for child in self.children:
            if child.process is None:
                continue
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)  # its own session, so its own group
            child.process.wait()


def check_port(port: int, variable: str) -> None:
    """Raise CannotStart if something else listens on this port of localhost."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CannotStart(
                f"Port {port} is in use. Stop what uses it, or choose another: make run {variable}={port + 1}"
            ) from None


def await_port(port: int, *, alive: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something answers on this port before `seconds` are over or `alive` says no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and alive():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def run_once(command: list[str], env: Mapping[str, str], stopping: Event) -> None:
    """Run one of our programs to its end; CannotStart if it fails (it has said why). Ends early when asked to stop."""
    child = Child(command[-1], command)
    child.start(env)
    assert child.process is not None
    while child.running:
        if stopping.wait(0.05):
            child.process.terminate()
            child.process.wait()
            return
    if child.process.returncode:
        raise CannotStart(f"{' '.join(command)} failed; its message is above.")
