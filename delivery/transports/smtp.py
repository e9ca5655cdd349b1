"""The relay transport: a pool of proven connections per relay, kept by one event-loop thread per process.

Connections outlive windows and slices. Callers block; the loop does not. `deliver` is the only way to hand mail over.
"""

import asyncio
import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop

from delivery.transports.wire import (
    GRACE_SECONDS,
    Connection,
    ConnectionBroke,
    Envelope,
    Fate,
    NoAnswer,
    RelayConfig,
    RelayTrouble,
    Result,
    SessionFacts,
    TurnedAway,
    connect,
)

T = TypeVar("T")
#: A connection unused for longer is closed rather than tried.
IDLE_SECONDS = 45.0
#: So many refusals that may be of us, with nothing taken between them, are of us.
REFUSALS_IN_A_ROW = 5
UNSENT = Result(Fate.UNSENT)
CLOSED_ON = Result(Fate.DEFERRED, 421)
SLOW = RelayTrouble("slow", "no answer in time")


@dataclass(slots=True)
class Handover:
    """What became of the envelopes, in their order, and what was wrong with the relay, if anything."""

    results: list[Result]
    trouble: RelayTrouble | None = None


@dataclass(slots=True)
class _Work:
    """One call's envelopes while several connections work on them."""

    envelopes: Sequence[Envelope]
    deadline: float
    waiting: deque[int]
    results: list[Result]
    trouble: RelayTrouble | None = None
    #: Something was taken: the relay has nothing against us as such.
    taken: bool = False
    #: Refusals since the last message taken of which we do not know yet whether they are of us.
    doubtful: list[int] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        return self.trouble is not None or not self.waiting or time.monotonic() >= self.deadline

    @property
    def patience(self) -> float:
        """Until when what was begun in time may go on before its body."""
        return self.deadline + GRACE_SECONDS

    def note(self, at: int, result: Result) -> None:
        """Keep what became of one envelope, and learn from it about the relay."""
        self.results[at] = result
        if result.fate == Fate.SENT:
            self.taken = True
            self.doubtful.clear()
        elif result.ours:
            self.doubtful.append(at)
            if len(self.doubtful) >= REFUSALS_IN_A_ROW:
                self.blame(result)
        elif result.fate == Fate.UNKNOWN and result.late:
            self.stop(SLOW)

    def stop(self, trouble: RelayTrouble) -> None:
        self.trouble = self.trouble or trouble

    def blame(self, result: Result) -> None:
        self.stop(RelayTrouble("refuses_us", f"SMTP {result.code} {result.status}".strip()))

    def conclude(self) -> None:
        """What was refused while the relay took nothing is held against nobody: it waits."""
        if not self.doubtful:
            return
        final = [self.results[at] for at in self.doubtful if self.results[at].fate == Fate.REJECTED]
        if not self.taken and final:
            self.blame(final[-1])
        if not self.taken or len(self.doubtful) >= REFUSALS_IN_A_ROW:
            for at in self.doubtful:
                self.results[at] = self.results[at]._replace(fate=Fate.DEFERRED)


@dataclass(slots=True)
class Pool:
    """The connections to one relay."""

    relay: RelayConfig
    idle: list[Connection] = field(default_factory=list)
    slots: asyncio.Semaphore = field(init=False)
    open: int = 0

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(max(1, self.relay.connections))

    async def deliver(self, envelopes: Sequence[Envelope], deadline: float) -> Handover:
        work = _Work(envelopes, deadline, deque(range(len(envelopes))), [UNSENT] * len(envelopes))
        hands = min(len(envelopes), max(1, self.relay.connections))
        await asyncio.gather(*(self._lend(work) for _ in range(hands)))
        work.conclude()
        return Handover(work.results, work.trouble)

    async def _lend(self, work: _Work) -> None:
        async with self.slots:
            connection: Connection | None = None
            try:
                while not work.stopped:
                    connection = connection or await self._take(work)
                    if connection is None:
                        return
                    connection = await self._next(work, connection)
            finally:
                if connection is not None:
                    self._put_back(connection)

    async def _take(self, work: _Work) -> Connection | None:
        while self.idle:
            connection = self.idle.pop()
            if connection.usable and time.monotonic() - connection.used_at < IDLE_SECONDS:
                return connection
            self._drop(connection)
        return await self._new(work)

    async def _new(self, work: _Work) -> Connection | None:
        try:
            connection = await connect(self.relay, work.patience - time.monotonic())
        except RelayTrouble as trouble:
            # Where other connections work on, the relay only limits their number.
            if not self.open or trouble.code != "busy":
                work.stop(trouble)
            return None
        except Exception as exc:  # the others' outcomes must reach the caller whatever happens here
            work.stop(_surprise(exc))
            return None
        self.open += 1
        return connection

    async def _next(self, work: _Work, connection: Connection) -> Connection | None:
        """Hand over the next envelope; the connection if it can be used again."""
        if not work.waiting:
            return connection
        at = work.waiting.popleft()
        try:
            return await self._send(work, connection, at)
        except NoAnswer:
            self._silence(work, at)
            return None
        except ConnectionBroke:
            # Nothing was handed over, so it may be tried again: once, on a connection made for it.
            return await self._again(work, at)

    async def _again(self, work: _Work, at: int) -> Connection | None:
        connection = None if time.monotonic() >= work.deadline else await self._new(work)
        if connection is None:
            return None
        try:
            return await self._send(work, connection, at)
        except TurnedAway:
            work.stop(RelayTrouble("unreachable", "the relay closed the connection"))
        except NoAnswer:
            self._silence(work, at)
        except ConnectionBroke:
            # We got through, and it broke over this one again: nobody else has to wait for that.
            work.note(at, CLOSED_ON)
        return None

    def _silence(self, work: _Work, at: int) -> None:
        work.note(at, CLOSED_ON)
        if not work.taken:
            work.stop(SLOW)

    async def _send(self, work: _Work, connection: Connection, at: int) -> Connection | None:
        """One envelope on this connection, which is returned if it can be used again. Raises ConnectionBroke alone."""
        try:
            work.note(at, await connection.send(work.envelopes[at], work.patience))
        except ConnectionBroke:
            self._drop(connection)
            raise
        except RelayTrouble as trouble:
            self._drop(connection)
            work.stop(trouble)
            return None
        except Exception as exc:  # the others' outcomes must reach the caller whatever happens here
            if connection.in_body:
                work.results[at] = Result(Fate.UNKNOWN, None, "", connection.session)
            connection.abort()
            self._drop(connection)
            work.stop(_surprise(exc))
            return None
        return self._keep(connection)

    def _keep(self, connection: Connection) -> Connection | None:
        if connection.usable:
            return connection
        self._drop(connection)
        return None

    def _put_back(self, connection: Connection) -> None:
        if connection.usable:
            self.idle.append(connection)
        else:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self.open -= 1
        connection.close()

    def close(self) -> None:
        while self.idle:
            self._drop(self.idle.pop())


def _surprise(exc: Exception) -> RelayTrouble:
    """Only the type: a text could quote an address."""
    return RelayTrouble("failed", type(exc).__name__)


class _Thread:
    """The event loop of this process, and its pools."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = uvloop.new_event_loop()
        self.pools: dict[RelayConfig, Pool] = {}
        self.thread = threading.Thread(target=self._run, name="smtp", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def pool(self, relay: RelayConfig) -> Pool:
        """The relay's pool; one whose settings were changed since is closed and forgotten."""
        found = self.pools.get(relay)
        if found is None:
            for stale in [config for config in self.pools if config.id == relay.id]:
                self.pools.pop(stale).close()
            found = self.pools[relay] = Pool(relay)
        return found

    async def deliver(self, relay: RelayConfig, envelopes: Sequence[Envelope], deadline: float) -> Handover:
        return await (await self.pool(relay)).deliver(envelopes, deadline)

    async def close(self) -> None:
        """Say goodbye to every relay and wait a moment for the connections to end."""
        leaving = [connection for pool in self.pools.values() for connection in pool.idle]
        for pool in self.pools.values():
            pool.close()
        self.pools.clear()
        for _ in range(50):
            if all(connection.wire.lost for connection in leaving):
                break
            await asyncio.sleep(0.02)
        for connection in leaving:
            connection.abort()
        await asyncio.sleep(0.01)

    def stop(self) -> None:
        self.call(self.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=2)
        if not self.thread.is_alive():
            self.loop.close()


_lock = threading.Lock()
_current: list[_Thread] = []


def _thread() -> _Thread:
    """This process's loop; after a fork a new one, since threads and sockets do not follow."""
    with _lock:
        if not _current or _current[0].pid != os.getpid():
            _current[:] = [_Thread()]
        return _current[0]


def deliver(relay: RelayConfig, envelopes: Sequence[Envelope], *, seconds: float) -> Handover:
    """Hand envelopes over and wait for what became of each; none is begun after `seconds`."""
    return _thread().call(_thread().deliver(relay, envelopes, time.monotonic() + seconds))


def probe(relay: RelayConfig) -> SessionFacts:
    """Connect, prove TLS, sign in, leave. Raises RelayTrouble."""

    async def once() -> SessionFacts:
        connection = await connect(relay)
        connection.close()
        return connection.session

    return _thread().call(once())


def close() -> None:
    """End this process's connections (a worker that stops, a test that ends)."""
    with _lock:
        if _current and _current[0].pid == os.getpid():
            _current.pop().stop()


atexit.register(close)
