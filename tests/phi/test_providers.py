"""The key file fails closed: missing, open to others, altered, incomplete, replaced by another."""

import json
import os
from pathlib import Path

import pytest
from django.db import connection

from phi import guard
from phi.errors import KeyUnavailable, SealBroken
from phi.providers import LocalKeyFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "keyring.json"
    LocalKeyFile.create(path)
    return path


@pytest.fixture
def _known_database(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO phi_keyring (id, fingerprint, known_since) VALUES (1, 'another ring....', now())")


def test_a_new_file_is_private(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_two_processes_that_start_at_once_share_one_file(path: Path) -> None:
    before = path.read_bytes()
    LocalKeyFile.create(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["keyring.json"]


@pytest.mark.django_db
def test_the_first_start_makes_keys(tmp_path: Path) -> None:
    keys = LocalKeyFile(tmp_path / "new" / "keyring.json")
    assert keys.unwrap(keys.wrap(b"k" * 32, keys.current_kek()), "k1") == b"k" * 32


@pytest.mark.usefixtures("_known_database")
def test_a_missing_file_is_not_replaced_when_data_exist(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    with pytest.raises(KeyUnavailable, match="missing but the database holds data"):
        LocalKeyFile(path)
    assert not path.exists()


def test_a_missing_file_is_not_replaced_when_the_database_cannot_be_asked(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    with pytest.raises(KeyUnavailable, match="cannot say"):
        LocalKeyFile(path)
    assert not path.exists()


@pytest.mark.usefixtures("_known_database")
def test_foreign_keys_stop_every_connection() -> None:
    with pytest.raises(KeyUnavailable, match="not the ones"):
        guard.check(connection)


@pytest.mark.django_db
def test_a_fresh_database_learns_its_keys_and_knows_them_again() -> None:
    guard.check(connection)
    guard.check(connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM phi_keyring")
        assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777])
def test_a_file_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(KeyUnavailable, match="readable by others"):
        LocalKeyFile(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"current": "k1"}', "\x00\xff"])
def test_a_file_that_is_none_is_refused(path: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(KeyUnavailable, match="restore it"):
        LocalKeyFile(path)


def test_any_altered_value_in_the_file_is_noticed(path: Path) -> None:
    original = json.loads(path.read_text())
    other = path.with_name("other.json")
    LocalKeyFile.create(other)
    foreign = json.loads(other.read_text())
    for name in ("keks", "root", "fields", "check"):
        path.write_text(json.dumps({**original, name: foreign[name]}))
        with pytest.raises(KeyUnavailable, match="restore it"):
            LocalKeyFile(path)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keyring.json").mkdir(mode=0o700)
    with pytest.raises(KeyUnavailable):
        LocalKeyFile(tmp_path / "keyring.json")


def test_a_process_that_loaded_earlier_notices_a_rotation(path: Path) -> None:
    early, late = LocalKeyFile(path), LocalKeyFile(path)
    assert late.add_kek() == "k2"
    assert early.unwrap(late.wrap(b"k" * 32, "k2"), "k2") == b"k" * 32
    assert early.current_kek() == "k2"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_destroyed_key_opens_nothing_and_its_name_is_never_used_again(path: Path) -> None:
    keys = LocalKeyFile(path)
    wrapped = keys.wrap(b"k" * 32, "k1")
    keys.add_kek()
    keys.add_kek()
    for kek in ("k1", "k2"):
        keys.retire_kek(kek)
    with pytest.raises(KeyUnavailable):
        LocalKeyFile(path).unwrap(wrapped, "k1")
    keys.retire_kek("k2")
    assert keys.add_kek() == "k4"


def test_the_current_key_cannot_be_destroyed(path: Path) -> None:
    with pytest.raises(KeyUnavailable):
        LocalKeyFile(path).retire_kek("k1")


def test_a_wrapped_key_moved_under_another_key_does_not_unwrap(path: Path) -> None:
    keys = LocalKeyFile(path)
    keys.add_kek()
    for wrapped in (keys.wrap(b"k" * 32, "k1"), b"", b"short", b"x" * 60):
        with pytest.raises(SealBroken):
            keys.unwrap(wrapped, "k2")


def test_a_file_that_vanishes_stops_new_keys(path: Path) -> None:
    keys = LocalKeyFile(path)
    path.unlink()
    with pytest.raises(KeyUnavailable):
        keys.current_kek()


def test_secrets_differ_by_purpose_and_last(path: Path) -> None:
    keys = LocalKeyFile(path)
    purposes = [
        "index:email",
        "index:external_id",
        "index:suppression",
        "token:1",
        "token:2",
        "audit:sign",
        "fields:f1",
    ]
    assert len({keys.secret(purpose) for purpose in purposes}) == len(purposes)
    before = [keys.secret(purpose) for purpose in purposes]
    keys.add_kek()
    keys.add_field_key()
    assert [LocalKeyFile(path).secret(purpose) for purpose in purposes] == before
    with pytest.raises(KeyUnavailable):
        keys.secret("fields:f9")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(KeyUnavailable):
        LocalKeyFile(path)
