"""A scratch database, people, a relay that leads to the sink, and an origin ready to send: for delivery and kill."""

import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
os.environ["CARILLON_EAGER_TASKS"] = "1"  # a scratch database has no broker
os.environ.setdefault("CARILLON_TEST_DATABASE", "carillon_bench")

import django

django.setup()

from django.conf import settings
from django.db import connection
from django.test.utils import get_runner


def emit(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": round(value, 3), "unit": unit}), flush=True)


@contextmanager
def scratch() -> Iterator[None]:
    """An empty, migrated database, dropped at the end."""
    runner = get_runner(settings)(verbosity=0, interactive=False)
    old = runner.setup_databases()
    try:
        yield
    finally:
        connection.close()
        runner.teardown_databases(old)


class Sink:
    """The counting server in its own process."""

    def __enter__(self) -> "Sink":
        from tests.delivery.smtp import authority

        self.authority = authority()
        files = self.authority.issue("localhost", Path(tempfile.mkdtemp(prefix="carillon-bench-")))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench._sink", *map(str, files)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()

    def stat(self) -> dict[str, int]:
        """How many messages came, and to how many recipients."""
        return self._asked(b"STAT")

    def seen(self) -> dict[str, int]:
        """How many messages came to each recipient."""
        return self._asked(b"SEEN")

    def _asked(self, verb: bytes) -> dict[str, int]:
        context = ssl.create_default_context(cadata=self.authority.pem)
        with (
            socket.create_connection(("localhost", self.port)) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secured,
            secured.makefile("rwb") as file,
        ):
            file.readline()
            file.write(verb + b"\r\n")
            file.flush()
            return dict(json.loads(file.readline()[4:]))

    def relay_fields(self) -> dict[str, Any]:
        return {"host": "localhost", "port": self.port, "security": "tls", "ca_certificate": self.authority.pem}


def _ready(size: int, sink: Sink) -> tuple[list[Any], str]:
    """A relay that leads to the sink, `size` people, and the mail of the figures' (9 KB, 20 links)."""
    from delivery import commands
    from tests.contacts.factories import make_people
    from tests.delivery.factories import RelayFactory

    commands.enqueue = lambda *args, **options: None  # type: ignore[assignment]  # the bench drains by itself
    RelayFactory(**sink.relay_fields(), connections=10)
    people = []
    for at in range(0, size, 5000):
        people += make_people(min(5000, size - at), city="Springfield", state="IL")
    words = "Your clinic is open on Saturdays, too, and this is one of many sentences to read. " * 5
    blocks = "".join(
        f"<p>{words}{{{{ city|default('') }}}} <a href='https://clinic.example/page/{n}'>Read more</a></p>"
        for n in range(14)
    )
    return people, (
        "<html><body><h1>Hello {{ first_name|default('there') }} {{ last_name|default('') }}</h1>"
        f"{blocks}<p>{{{{ organization.postal_address }}}} <a href='{{{{ unsubscribe_url }}}}'>Stop</a></p></body></html>"
    )


SUBJECT = "Hello {{ first_name|default('there') }}"


def queue(size: int, sink: Sink) -> Any:
    """`size` people, all allowed, queued for one origin."""
    from tests.delivery.factories import make_origin, make_version

    people, html = _ready(size, sink)
    return make_origin(people, version=make_version(html=html, subject=SUBJECT))


def campaign(size: int, sink: Sink) -> Any:
    """A campaign to `size` people, written by one person, approved by another, and started."""
    from campaigns import commands
    from tests.campaigns.factories import approved, marketer
    from tests.content.factories import TemplateFactory

    _, html = _ready(size, sink)
    made = approved(template=TemplateFactory(html=html, subject=SUBJECT))
    commands.send_now(made, by=marketer())  # jobs run at once here, so this starts it
    made.refresh_from_db()
    return made
