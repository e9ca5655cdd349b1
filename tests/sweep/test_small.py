"""People, segments, templates and topics written through the product's own commands leave nothing in the clear."""

import itertools
import logging

import pytest
from django.conf import settings

import contacts.commands
from audit.commands import seal
from consent.commands import create_topic, opt_in, opt_out, suppress
from consent.models import Source, Suppression
from contacts.models import Attribute, Kind
from contacts.records import Coded
from content.commands import create_template
from core.actors import SYSTEM
from core.sensitivity import Sensitivity
from marketing.environment import HOME
from segments.commands import create as create_segment
from tests.canary import Sweep, sweep

pytestmark = pytest.mark.django_db(transaction=True)
_numbers = itertools.count()


class Canaries(list[str]):
    """Unique values, each kept as it is made."""

    def __call__(self, form: str = "canäry-{:04}-mzq7") -> str:
        self.append(form.format(next(_numbers)))
        return self[-1]


def attribute(key: str, kind: Kind) -> Attribute:
    made, _ = Attribute.objects.get_or_create(
        key=key, defaults={"label": key, "kind": kind, "sensitivity": Sensitivity.PHI}
    )
    return made


def test_nothing_of_a_person_stands_in_the_clear_anywhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    new = Canaries()
    attribute("email", Kind.TEXT), attribute("external_id", Kind.TEXT), attribute("first_name", Kind.TEXT)
    attribute("diagnosis", Kind.TEXT), attribute("conditions", Kind.CODED)
    people = []
    for _ in range(5):
        values = {
            "email": new("canary-{:04}-mzq7@example.com"),
            "external_id": new("CANARY-{:04}-MZQ7"),
            "first_name": new(),
            "diagnosis": new(),
        }
        people.append(
            contacts.commands.create(
                values=values, coded={"conditions": [Coded(new("C{:04}-MZQ7XK"), new())]}, by=SYSTEM
            )
        )
    contacts.commands.update(people[0], values={"first_name": new()}, by=SYSTEM)
    rule = {"version": 1, "root": {"all": [{"attribute": "diagnosis", "op": "is", "value": new()}]}}
    create_segment(name=new(), description=new(), rule=rule, by=SYSTEM)
    create_template(name=new(), subject="News", html="<p>Hello</p>", by=SYSTEM)
    topic = create_topic(name=new(), public_name="News", description=new(), by=SYSTEM)
    evidence = {"text": new(), "text_version": "1", "address": "192.0.2.0/24", "agent": new()}
    opt_in(people[0].pk, topic, source=Source.STAFF, evidence=evidence, by=SYSTEM)
    opt_out(people[0].pk, topic, source=Source.STAFF, evidence=evidence, by=SYSTEM)
    suppress(new("canary-{:04}-mzq7@example.org"), reason=Suppression.Reason.STAFF, by=SYSTEM)
    contacts.commands.delete(people[1], by=SYSTEM)
    seal()

    hits = sweep(new, folders=[HOME], server_files=True, texts={"log": caplog.text})
    assert not hits, hits
    assert len(new) > 30


def test_the_sweep_would_see_a_value_that_slipped() -> None:
    """The same way of looking finds a canary where a value is public by design."""
    canary = "canary-slipped-9k3f"
    create_template(name="x", subject=canary, html="<p>Hello</p>", by=SYSTEM)
    found = Sweep([canary])
    found.database()
    assert {hit.place for hit in found.hits} == {"table public.content_template"}


def test_the_key_file_is_not_in_the_database() -> None:
    import json

    keys = json.loads(settings.PHI_KEY_FILE.read_text())
    secrets = [keys["root"], *keys["fields"].values(), *(kek["key"] for kek in keys["keks"].values())]
    assert not sweep(secrets)
