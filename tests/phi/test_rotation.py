"""Rotation moves every key while people are being read, and destroys nothing that is still needed."""

import threading
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import close_old_connections, connection

from audit.models import Entry
from consent.models import Topic
from contacts.models import Contact
from contacts.queries import open_many
from core.actors import SYSTEM
from phi import commands, keyring
from phi.errors import KeyInUse
from phi.providers import LocalKeyFile
from phi.queries import kek_usage, wrapping_models
from tests.contacts.factories import make_people


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalKeyFile:
    """A key file of this test's own."""
    LocalKeyFile.create(tmp_path / "keyring.json")
    own = LocalKeyFile(tmp_path / "keyring.json")
    for module in ("phi.keyring", "phi.seal", "phi.fields", "phi.blind", "phi.commands"):
        monkeypatch.setattr(f"{module}.keyring", lambda: own)
    return own


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_the_models_that_wrap_keys_are_found() -> None:
    assert {model.__name__ for model, _ in wrapping_models()} >= {"Contact", "Import"}


@pytest.mark.django_db
def test_rotation_moves_every_key_and_says_so() -> None:
    ids = make_people(7)
    sealed = dict(Contact.objects.values_list("pk", "sealed"))
    out = run("--batch", "3")
    assert kek_usage() == {"k2": 7}
    assert "contacts_contact.data_key: 7 of 7" in out
    assert "Back up the key file" in out
    assert dict(Contact.objects.values_list("pk", "sealed")) == sealed
    assert len(open_many(ids)) == 7
    entry = Entry.objects.get(action="keys.rewrapped")
    assert entry.details == {"kek": "k2", "rows": 7}
    assert Entry.objects.filter(action="keys.added").exists()


@pytest.mark.django_db
def test_a_rotation_that_was_stopped_is_resumed() -> None:
    make_people(6)
    commands.add_key(by=SYSTEM)
    next(commands.rewrap(by=SYSTEM, batch=2))
    assert kek_usage() == {"k1": 4, "k2": 2}
    run("--resume")
    assert kek_usage() == {"k2": 6}


@pytest.mark.django_db(transaction=True)
def test_readers_never_fail_while_keys_rotate(keys: LocalKeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = make_people(60)
    other_process = LocalKeyFile(keys.path)  # loaded before the rotation
    stop, reads, failures = threading.Event(), [0], []

    def read() -> None:
        try:
            while not stop.is_set():
                for contact in Contact.objects.all():
                    other_process.unwrap(bytes(contact.data_key), contact.kek_id)
                    reads[0] += 1
        except Exception as failure:
            failures.append(failure)
        finally:
            close_old_connections()
            connection.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(5):
        run("--batch", "7")
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert reads[0] > 60
    assert kek_usage() == {"k6": 60}
    assert len(open_many(ids)) == 60


@pytest.mark.django_db(transaction=True)
def test_a_row_in_use_is_moved_later_and_nobody_waits() -> None:
    make_people(3)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        from django.db import transaction

        with transaction.atomic():
            list(Contact.objects.select_for_update()[:1])
            held.set()
            done.wait(5)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    commands.add_key(by=SYSTEM)
    steps = commands.rewrap(by=SYSTEM)
    assert next(steps).done == 2
    done.set()
    holder.join()
    assert [step.done for step in steps] == [3]
    assert kek_usage() == {"k2": 3}


@pytest.mark.django_db
def test_a_key_is_destroyed_only_when_nothing_needs_it(keys: LocalKeyFile) -> None:
    make_people(2)
    with pytest.raises(KeyInUse, match="current one"):
        commands.retire_key("k1", by=SYSTEM)
    commands.add_key(by=SYSTEM)
    with pytest.raises(KeyInUse, match="Running work"):
        commands.retire_key("k1", by=SYSTEM)
    with pytest.raises(KeyInUse, match="2 data keys"):
        commands.retire_key("k1", by=SYSTEM, rest=timedelta(0))
    with pytest.raises(KeyInUse, match="no key"):
        commands.retire_key("k7", by=SYSTEM)
    list(commands.rewrap(by=SYSTEM))
    commands.retire_key("k1", by=SYSTEM, rest=timedelta(0))
    assert [kek.id for kek in keys.keks()] == ["k2"]
    assert Entry.objects.get(action="keys.retired").details == {"kek": "k1"}
    with pytest.raises(CommandError, match="no key k1"):
        run("--retire", "k1")


@pytest.mark.django_db
def test_the_key_of_encrypted_fields_rotates(keys: LocalKeyFile) -> None:
    topic = Topic.objects.create(number=1, name="Asthma", public_name="News")
    run("--fields")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM consent_topic")
        assert cursor.fetchone()[0].startswith("s1.f2.")
    assert Topic.objects.get(pk=topic.pk).name == "Asthma"


@pytest.mark.django_db
def test_the_list_says_what_each_key_wraps() -> None:
    make_people(1)
    run()
    assert "k1: superseded" in run("--list")
    assert "k2: current, wraps 1 data keys" in run("--list")


def test_one_keyring_serves_the_process() -> None:
    assert keyring.keyring() is keyring.keyring()
