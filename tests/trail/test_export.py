"""An export proves itself on any computer; whatever is changed in it, the verifier refuses it."""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import merkle, signing, verify_export
from audit.commands import build, record, record_many, seal
from audit.models import Checkpoint, Entry
from core.actors import SYSTEM, Actor
from trail import bundle
from trail.commands import export
from trail.queries import Filter

pytestmark = pytest.mark.django_db
ANNA, BEN = Actor("staff", str(uuid4()), ("marketer",), "192.0.2.0/24"), Actor("staff", str(uuid4()))
CONTACT = uuid4()
Files = dict[str, bytes]


def fill() -> None:
    record_many(build("test.happened", by=ANNA, n=n) for n in range(20))
    seal()
    for n in range(6):
        record("test.seen", by=BEN, subject=CONTACT, n=n, share=n / 7)
        record("test.happened", by=SYSTEM, text=["é", "\u2028", '"']) if n % 2 else None
    seal()


def made(wanted: Filter = Filter(), earlier: int | None = None) -> Files:  # noqa: B008  (frozen)
    raw = b"".join(bundle.stream(export(wanted, by=BEN), earlier=earlier))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def check(files: Files, path: Path, *arguments: str) -> int:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return verify_export.main([str(path), *arguments])


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key-from-the-operator"
    path.write_text(signing.verifier_key())
    return str(path)


def test_a_good_export_passes_with_nothing_but_python_and_one_library(tmp_path: Path) -> None:
    fill()
    kept = Checkpoint.objects.order_by("size").first()
    assert kept
    path = tmp_path / "export.zip"
    path.write_bytes(b"".join(bundle.stream(export(Filter(), by=BEN), earlier=kept.size)))
    (tmp_path / "kept.txt").write_text(kept.note)
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "verify_export.py").write_bytes(archive.read("verify_export.py"))
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "verify_export.py",
            "export.zip",
            "--key",
            signing.verifier_key(),
            "--earlier",
            "kept.txt",
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("VERIFIED\n")
    assert "nothing is missing" in done.stdout
    assert "Nothing recorded before the checkpoint you kept (20 entries)" in done.stdout


def test_an_unpacked_export_passes_beside_other_files(tmp_path: Path, key: str) -> None:
    fill()
    for name, content in made().items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert verify_export.main([str(tmp_path), "--key", key]) == 0
    (tmp_path / "proofs.jsonl").unlink()
    assert verify_export.main([str(tmp_path), "--key", key]) == 1


def test_the_verifier_imports_nothing_of_the_product() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['v']; exec(open('audit/verify_export.py').read().split('if __name__')[0]);"
            "print([m for m in sys.modules if m.split('.')[0] in ('django', 'audit', 'core', 'phi')])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Filter(), 29),
        (Filter(action="test.seen"), 6),
        (Filter(actor=f"staff:{ANNA.id}"), 20),
        (Filter(actor="system:"), 3),
        (Filter(about=str(CONTACT)), 6),
        (Filter(about=str(CONTACT), actor="system:"), 0),
        (Filter(since="2001-01-01T00:00:00.000000Z", until="2100-01-01T00:00:00.000000Z"), 29),
        (Filter(until="2001-01-01T00:00:00.000000Z"), 0),
    ],
)
def test_every_selection_passes(wanted: Filter, count: int, tmp_path: Path, key: str) -> None:
    fill()
    files = made(wanted)
    assert files["entries.jsonl"].count(b"\n") == count
    assert check(files, tmp_path / "x", "--key", key) == 0


def test_the_export_is_recorded_and_the_record_says_what_left() -> None:
    fill()
    made(Filter(action="test.seen"))
    entry = Entry.objects.get(action="trail.exported")
    assert entry.actor_id == BEN.id
    assert entry.details["entries"] == 6
    assert entry.details["filter"]["action"] == "test.seen"


def test_a_second_export_of_the_same_trail_passes_too(tmp_path: Path, key: str) -> None:
    fill()
    made()
    assert check(made(), tmp_path / "x", "--key", key) == 0


def test_without_a_key_of_ones_own_the_report_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill()
    assert check(made(), tmp_path / "x") == 0
    assert signing.fingerprint() in capsys.readouterr().out


# What somebody might do to an export before handing it on


def lines(files: Files, name: str) -> list[bytes]:
    return files[name].splitlines(keepends=True)


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Files], None]:
    def tamper(files: Files) -> None:
        before = files[name]
        files[name] = change(before)
        assert files[name] != before

    return tamper


def edit_json(name: str, change: Callable[[dict], object]) -> Callable[[Files], None]:
    def tamper(files: Files) -> None:
        data = json.loads(files[name])
        before = json.dumps(data)
        change(data)
        assert json.dumps(data) != before
        files[name] = json.dumps(data).encode()

    return tamper


def edit_receipt(change: Callable[[dict], object]) -> Callable[[Files], None]:
    def tamper(files: Files) -> None:
        data = json.loads(files["receipt.json"])
        entry = json.loads(data["entry"])
        change(entry)
        data["entry"] = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        files["receipt.json"] = json.dumps(data).encode()

    return tamper


def drop(*places: int) -> Callable[[Files], None]:
    """Leave entries out, with their proofs, and put the count right where it is not sealed."""

    def tamper(files: Files) -> None:
        for name in ("entries.jsonl", "proofs.jsonl"):
            kept = lines(files, name)
            for place in sorted(places, reverse=True):
                del kept[place]
            files[name] = b"".join(kept)
        manifest = json.loads(files["manifest.json"])
        manifest["entries"] -= len(places)
        files["manifest.json"] = json.dumps(manifest).encode()

    return tamper


def swap_lines(name: str) -> Callable[[Files], None]:
    def tamper(files: Files) -> None:
        rows = lines(files, name)
        rows[3], rows[4] = rows[4], rows[3]
        files[name] = b"".join(rows)

    return tamper


def swap_both(files: Files) -> None:
    swap_lines("entries.jsonl")(files)
    swap_lines("proofs.jsonl")(files)


def repeat_both(files: Files) -> None:
    for name in ("entries.jsonl", "proofs.jsonl"):
        rows = lines(files, name)
        files[name] = b"".join([*rows[:5], rows[4], *rows[5:]])


def replace_with_copy(files: Files) -> None:
    """The right number of lines, one of them twice instead of another."""
    for name in ("entries.jsonl", "proofs.jsonl"):
        rows = lines(files, name)
        files[name] = b"".join([*rows[:5], rows[4], *rows[6:]])


def forge_everything(files: Files) -> None:
    """A liar with a key of his own builds a whole consistent trail and signs it."""
    entries = [json.loads(line) for line in lines(files, "entries.jsonl")]
    entries[2]["details"] = {"n": 999}
    written = [verify_line(entry) for entry in entries]
    receipt = json.loads(json.loads(files["receipt.json"])["entry"])
    leaves = [merkle.leaf_hash(line) for line in written]
    receipt["details"]["digest"] = hashlib.sha256(b"".join(leaves)).hexdigest()
    leaves.append(merkle.leaf_hash(verify_line(receipt)))
    rows = merkle.levels(leaves)

    def node(level: int, index: int) -> bytes:
        return rows[level][index]

    size = len(leaves)

    def proof(index: int) -> dict:
        return {"index": index, "proof": [h.hex() for h in merkle.inclusion(index, size, node)]}

    files["entries.jsonl"] = b"".join(line + b"\n" for line in written)
    files["proofs.jsonl"] = b"".join(json.dumps(proof(n)).encode() + b"\n" for n in range(size - 1))
    files["receipt.json"] = json.dumps({"entry": verify_line(receipt).decode(), **proof(size - 1)}).encode()
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    name = json.loads(files["manifest.json"])["trail"]
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    text = f"{name}\n{size}\n{base64.b64encode(merkle.root(size, node)).decode()}\n"
    signature = base64.b64encode(key_id + private.sign(text.encode())).decode()
    files["checkpoint.txt"] = f"{text}\n— {name} {signature}\n".encode()
    encoded = base64.b64encode(b"\x01" + public).decode()
    files["trail.vkey"] = f"{name}+{key_id.hex()}+{encoded}\n".encode()


def verify_line(entry: dict) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def foreign_key(files: Files) -> None:
    files["trail.vkey"] = b"carillon/trail/0000000000000000+00000000+AAAA\n"


def remove(name: str) -> Callable[[Files], None]:
    return lambda files: files.pop(name) and None


TAMPERINGS: dict[str, Callable[[Files], None]] = {
    "an action renamed": edit("entries.jsonl", lambda d: d.replace(b"test.seen", b"test.sent", 1)),
    "a number changed": edit("entries.jsonl", lambda d: d.replace(b'"n":7', b'"n":8', 1)),
    "an actor exchanged": edit("entries.jsonl", lambda d: d.replace(ANNA.id.encode(), BEN.id.encode(), 1)),
    "a subject exchanged": edit("entries.jsonl", lambda d: d.replace(str(CONTACT).encode(), str(uuid4()).encode(), 1)),
    "a year moved": edit("entries.jsonl", lambda d: d.replace(b'"at":"20', b'"at":"19', 1)),
    "a network hidden": edit("entries.jsonl", lambda d: d.replace(b"192.0.2.0/24", b"", 1)),
    "a role removed": edit("entries.jsonl", lambda d: d.replace(b'["marketer"]', b"[]", 1)),
    "a counter changed": edit("entries.jsonl", lambda d: d.replace(b'"actor_seq":5', b'"actor_seq":6', 1)),
    "an index changed": edit("entries.jsonl", lambda d: d.replace(b'"index":5', b'"index":6', 1)),
    "a space added": edit("entries.jsonl", lambda d: d.replace(b'"v":1', b'"v": 1', 1)),
    "a field added": edit("entries.jsonl", lambda d: d.replace(b'"v":1', b'"v":1,"w":1', 1)),
    "an id changed": edit("entries.jsonl", lambda d: d.replace(b'"id":"0', b'"id":"1', 1)),
    "the first entry left out": drop(0),
    "the last entry left out": drop(-1),
    "one entry left out": drop(11),
    "ten entries left out": drop(*range(5, 15)),
    "all entries left out": drop(*range(29)),
    "only an entry's line left out": edit("entries.jsonl", lambda d: d.split(b"\n", 1)[1]),
    "only a proof's line left out": edit("proofs.jsonl", lambda d: d.split(b"\n", 1)[1]),
    "two entries swapped": swap_lines("entries.jsonl"),
    "two proofs swapped": swap_lines("proofs.jsonl"),
    "two entries swapped with their proofs": swap_both,
    "an entry twice": repeat_both,
    "an entry in another's stead": replace_with_copy,
    "an entry made up": edit("entries.jsonl", lambda d: d + b'{"index":99}\n'),
    "the last line cut": edit("entries.jsonl", lambda d: d[:-30]),
    "the last newline cut": edit("entries.jsonl", lambda d: d[:-1]),
    "entries emptied": edit("entries.jsonl", lambda d: b""),
    "entries no JSON": edit("entries.jsonl", lambda d: b"x" + d),
    "a proof's hash changed": edit("proofs.jsonl", lambda d: d.replace(b"a", b"b", 1)),
    "a proof shortened": edit("proofs.jsonl", lambda d: d.replace(b'"proof":["', b'"proof":[]}', 1)),
    "a proof emptied": edit("proofs.jsonl", lambda d: b'{"index":0,"proof":[]}\n' + d.split(b"\n", 1)[1]),
    "proofs no hex": edit("proofs.jsonl", lambda d: d.replace(b'["', b'["z', 1)),
    "the size raised": edit("checkpoint.txt", lambda d: d.replace(b"\n30\n", b"\n31\n")),
    "the size lowered": edit("checkpoint.txt", lambda d: d.replace(b"\n30\n", b"\n29\n")),
    "the root changed": edit("checkpoint.txt", lambda d: d.replace(d.split(b"\n")[2], base64.b64encode(b"r" * 32))),
    "the signature changed": edit("checkpoint.txt", lambda d: d[:-10] + b"A" + d[-9:]),
    "the signature removed": edit("checkpoint.txt", lambda d: d.split(b"\n\n")[0] + b"\n\n"),
    "the origin changed": edit("checkpoint.txt", lambda d: d.replace(b"carillon", b"cari11on")),
    "the checkpoint emptied": edit("checkpoint.txt", lambda d: b""),
    "another key": foreign_key,
    "everything forged and signed by a liar": forge_everything,
    "the filter in the manifest": edit_json("manifest.json", lambda m: m["filter"].update(action="test.seen")),
    "the count in the manifest": edit_json("manifest.json", lambda m: m.update(entries=28)),
    "the format": edit_json("manifest.json", lambda m: m.update(format="other/1")),
    "the date in the manifest": edit_json("manifest.json", lambda m: m.update(made_at="2020-01-01T00:00:00Z")),
    "the count in the receipt": edit_receipt(lambda r: r["details"].update(entries=28)),
    "the digest in the receipt": edit_receipt(lambda r: r["details"].update(digest="00" * 32)),
    "the filter in the receipt": edit_receipt(lambda r: r["details"]["filter"].update(actor="system:")),
    "who exported": edit_receipt(lambda r: r["actor"].update(id=ANNA.id)),
    "another entry as the receipt": lambda files: files.update(
        {
            "receipt.json": json.dumps(
                {
                    "entry": lines(files, "entries.jsonl")[3].decode().rstrip("\n"),
                    **json.loads(lines(files, "proofs.jsonl")[3]),
                }
            ).encode()
        }
    ),
    "the names changed": edit("names.json", lambda d: d.replace(b"The product itself", b"Somebody else")),
    "the verifier exchanged": edit("verify_export.py", lambda d: b"print('VERIFIED')\n"),
    "the receipt left out": remove("receipt.json"),
    "the proofs left out": remove("proofs.jsonl"),
    "the checkpoint left out": remove("checkpoint.txt"),
    "a file smuggled in": lambda files: files.update({"more-entries.jsonl": b"{}\n"}),
}


def test_there_are_enough_of_them() -> None:
    assert len(TAMPERINGS) >= 50


def test_every_tampered_bundle_is_refused(tmp_path: Path, key: str) -> None:
    fill()
    good = made()
    assert check(good, tmp_path / "x", "--key", key) == 0
    for name, tamper in TAMPERINGS.items():
        files = dict(good)
        tamper(files)
        assert check(files, tmp_path / "x", "--key", key) == 1, name
    assert check(good, tmp_path / "x", "--key", key) == 0


def test_an_entry_left_out_of_a_selection_by_the_operator_himself_shows(tmp_path: Path, key: str, monkeypatch) -> None:
    """The product is told to forget one entry of a person before it exports: the counters have a gap."""
    fill()
    whole = Filter.condition

    def forgetful(self: Filter, prefix: str = ""):
        from django.db.models import Q

        return whole(self, prefix) & ~Q(**{f"{prefix}details__n": 7})

    monkeypatch.setattr(Filter, "condition", forgetful)
    for wanted in (Filter(actor=f"staff:{ANNA.id}"), Filter()):
        assert check(made(wanted), tmp_path / "x", "--key", key) == 1


def test_a_trail_rewritten_since_a_kept_checkpoint_is_refused(tmp_path: Path, key: str) -> None:
    fill()
    files = made(earlier=20)
    kept = tmp_path / "kept.txt"
    kept.write_text(signing.sign(20, hashlib.sha256(b"another past").digest()))
    assert check(files, tmp_path / "x", "--key", key, "--earlier", str(kept)) == 1
    kept.write_text(Checkpoint.objects.get(size=20).note)
    assert check(files, tmp_path / "x", "--key", key, "--earlier", str(kept)) == 0
    kept.write_text(signing.sign(500, hashlib.sha256(b"longer").digest()))
    assert check(files, tmp_path / "x", "--key", key, "--earlier", str(kept)) == 1


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_export_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    path.write_bytes(content)
    assert verify_export.main([str(path)]) == 1
    assert verify_export.main([str(tmp_path / "nowhere.zip")]) == 2
