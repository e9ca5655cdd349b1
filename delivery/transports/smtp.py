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
    Connection,
    ConnectionBroke,
    Envelope,
    Fate,
    RelayConfig,
    RelayTrouble,
    Result,
    SessionFacts,
    connect,
)

T = TypeVar("T")
#: A connection unused for longer is closed rather than tried.
IDLE_SECONDS = 45.0
UNSENT = Result(Fate.UNSENT)


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

    @property
    def stopped(self) -> bool:
        return self.trouble is not None or not self.waiting or time.monotonic() >= self.deadline


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
        try:
            connection = await connect(self.relay)
        except RelayTrouble as trouble:
            # Where other connections work on, the relay only limits their number.
            if not self.open or trouble.code != "busy":
                work.trouble = work.trouble or trouble
            return None
        self.open += 1
        return connection

    async def _next(self, work: _Work, connection: Connection) -> Connection | None:
        """Hand over the next envelope; the connection if it can be used again."""
        if not work.waiting:
            return connection
        at = work.waiting.popleft()
        try:
            work.results[at] = await connection.send(work.envelopes[at])
        except ConnectionBroke:
            self._drop(connection)
            # Nothing was handed over, so it may be tried again: once, on a connection made for it.
            return await self._again(work, at)
        except RelayTrouble as trouble:
            self._drop(connection)
            work.trouble = work.trouble or trouble
            return None
        return self._keep(connection)

    async def _again(self, work: _Work, at: int) -> Connection | None:
        try:
            connection = await connect(self.relay)
        except RelayTrouble as trouble:
            work.trouble = work.trouble or trouble
            return None
        self.open += 1
        try:
            work.results[at] = await connection.send(work.envelopes[at])
        except (ConnectionBroke, RelayTrouble) as exc:
            self._drop(connection)
            broke = RelayTrouble("unreachable", "the relay closed the connection")
            work.trouble = work.trouble or (exc if isinstance(exc, RelayTrouble) else broke)
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
