"""How fast mail leaves: queued people to a local TLS sink, everything included. `python -m bench.delivery [SIZE]`."""

import sys
import time

from bench import _door as door


def main(size: int) -> None:
    with door.scratch(), door.Sink() as sink:
        from django.conf import settings
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        from delivery import engine, queries
        from delivery.transports import smtp

        origin = door.queue(size, sink)
        with CaptureQueriesContext(connection) as caught:
            engine.drain_batch(engine.leases.claim(origin.stream), time.monotonic())  # one window, to warm up
        door.emit("delivery.statements_per_window", len(caught), "statements")
        began, cpu = time.perf_counter(), time.process_time()
        while engine.drain(origin.stream, seconds=60):
            pass
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        smtp.close()
        sent = size - settings.DELIVERY_WINDOW
        progress = queries.progress(origin.pk)
        assert progress.sent == size == sink.stat()["recipients"] == sink.stat()["messages"], (progress, sink.stat())
        door.emit("delivery.messages_per_second", sent / wall, "messages/s")
        door.emit("delivery.cpu_per_message", cpu / sent * 1e6, "µs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
