#!/usr/bin/env python3
"""Check an export of the trail, offline: python verify_export.py export.zip --key KEY [--earlier checkpoint.txt]

Needs Python 3.9 and the package `cryptography`, and nothing of the product that made the export. KEY is the trail's
public key (a file or the text itself), which the operator showed you once, by another way than this export. With
--earlier, a checkpoint you kept proves that nothing recorded before it was changed or removed since.
Exit code: 0 everything holds, 1 something does not, 2 the export cannot be read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FORMAT = "carillon-trail-export/1"
FILES = {
    "manifest.json",
    "checkpoint.txt",
    "trail.vkey",
    "receipt.json",
    "entries.jsonl",
    "proofs.jsonl",
    "names.json",
    "consistency.json",
    "verify_export.py",
}

Key = tuple[str, bytes, bytes]  # name, id, public key
Files = dict[str, Callable[[], bytes]]  # by name, read when asked for


class Refused(Exception):
    """What does not hold, in words."""


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def demand(holds: object, complaint: str) -> None:
    if not holds:
        raise Refused(complaint)


# RFC 6962 trees, by the algorithms of RFC 9162 sections 2.1.3.2 and 2.1.4.2


def root_of_proof(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = sha256(b"\x01", sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = sha256(b"\x01", found, sibling)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def extends(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    if old == 0:
        return not proof
    if old >= new:
        return old == new and not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = sha256(b"\x01", sibling, first), sha256(b"\x01", sibling, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = sha256(b"\x01", second, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


# C2SP signed notes


def parse_key(text: str) -> Key:
    name, key_id, encoded = text.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    demand(raw[:1] == b"\x01" and len(raw) == 33, "The key is not an Ed25519 key.")
    demand(sha256(name.encode(), b"\n", raw)[:4].hex() == key_id, "The key does not match its own name.")
    return name, bytes.fromhex(key_id), raw[1:]


def parse_note(note: str, key: Key) -> tuple[int, bytes]:
    """(size, root) of a checkpoint, if this key signed it."""
    name, key_id, public = key
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    demand(blank and len(lines) == 3, "A checkpoint has three lines and a signature.")
    origin, size, root = lines
    demand(origin == name, "The checkpoint is of another trail.")
    for line in signatures.splitlines():
        parts = line.split(" ")
        if len(parts) == 3 and parts[0] == "\u2014" and parts[1] == name:
            raw = base64.b64decode(parts[2], validate=True)
            if raw[:4] == key_id:
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], (text + "\n").encode())
                except InvalidSignature:
                    raise Refused("The checkpoint's signature is wrong.") from None
                demand(size == str(int(size)), "The checkpoint's size is oddly written.")
                return int(size), base64.b64decode(root, validate=True)
    raise Refused("The checkpoint is not signed by this key.")


# The export


def open_export(path: Path) -> Files:
    """Every file of the export by name, to be read when asked for. What else lies in a folder does not matter."""
    if path.is_dir():
        files: Files = {name: (path / name).read_bytes for name in FILES if (path / name).is_file()}
    else:
        archive = zipfile.ZipFile(path)
        names = archive.namelist()
        demand(len(names) == len(set(names)), "A file stands twice in the archive.")
        demand(archive.testzip() is None, "The archive is damaged.")
        files = {name: partial(archive.read, name) for name in names}
    unknown = sorted(set(files) - FILES)
    missing = sorted(FILES - set(files))
    demand(not unknown, f"Files that do not belong to an export: {', '.join(unknown)}")
    demand(not missing, f"Files are missing: {', '.join(missing)}")
    return files


def lines_of(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    demand(lines.pop() == b"", "A file breaks off within a line.")
    return lines


def proven(line: bytes, proof: Any, size: int, root: bytes, what: str) -> tuple[Any, bytes]:
    """The entry of this line, if the proof leads from exactly these bytes to the signed root."""
    entry = json.loads(line)
    demand(proof["index"] == entry["index"], f"{what}: the proof is for another entry.")
    path = [bytes.fromhex(step) for step in proof["proof"]]
    leaf = sha256(b"\x00", line)
    demand(root_of_proof(entry["index"], size, leaf, path) == root, f"{what}: it is not what was recorded.")
    return entry, leaf


def matches(entry: Any, wanted: dict[str, str]) -> bool:
    """Whether an entry belongs into an export under this filter."""
    if wanted.get("since") and entry["at"] < wanted["since"]:
        return False
    if wanted.get("until") and entry["at"] >= wanted["until"]:
        return False
    if wanted.get("action") and entry["action"] != wanted["action"]:
        return False
    if wanted.get("actor") and wanted["actor"] != f"{entry['actor']['kind']}:{entry['actor']['id']}":
        return False
    return not wanted.get("about") or wanted["about"] in (entry["subject"], entry["target"]["id"])


def whole(seqs: list[int], whose: str) -> None:
    demand(seqs == list(range(1, len(seqs) + 1)), f"Of the entries {whose} some are missing.")


def verify(files: Files, key: Key, earlier: str | None) -> list[str]:
    """A list of what was checked, in words; Refused at the first thing that does not hold."""
    report = []
    size, root = parse_note(files["checkpoint.txt"]().decode(), key)
    report.append(f"The checkpoint over {size:,} entries is signed by {key[0]}.")

    receipt_file = json.loads(files["receipt.json"]())
    receipt, _ = proven(receipt_file["entry"].encode(), receipt_file, size, root, "The record of this export")
    demand(receipt["action"] == "trail.exported", "The record of this export records something else.")
    said = receipt["details"]
    wanted = said["filter"]
    report.append(f"The export itself was recorded as entry {receipt['index']:,} at {receipt['at']}.")

    manifest = json.loads(files["manifest.json"]())
    expected = {
        "format": FORMAT,
        "trail": key[0],
        "entries": said["entries"],
        "filter": wanted,
        "size": said["size"],
        "made_at": receipt["at"],
    }
    demand(manifest == expected, "The manifest says something else than was recorded.")
    for name in ("names.json", "verify_export.py"):
        demand(sha256(files[name]()).hex() == said["files"][name], f"{name} is not the file that was exported.")

    lines, proofs = lines_of(files["entries.jsonl"]()), lines_of(files["proofs.jsonl"]())
    demand(
        len(lines) == len(proofs) == said["entries"],
        f"The export was recorded with {said['entries']:,} entries; here are {len(lines):,}.",
    )
    digest, previous, leaves, actor_seqs, subject_seqs = hashlib.sha256(), -1, [], [], []
    for number, (line, proof) in enumerate(zip(lines, proofs), 1):  # noqa: B905  (Python 3.9)
        entry, leaf = proven(line, json.loads(proof), size, root, f"Line {number:,}")
        demand(entry["index"] > previous, f"Line {number:,}: the order is not that of recording.")
        demand(entry["index"] < said["size"], f"Line {number:,}: it is younger than the export.")
        demand(matches(entry, wanted), f"Line {number:,}: it does not belong into this export.")
        previous = entry["index"]
        digest.update(leaf)
        leaves.append(leaf)
        actor_seqs.append(entry["actor_seq"])
        if entry["subject"] == wanted.get("about"):
            subject_seqs.append(entry["subject_seq"])
    demand(digest.hexdigest() == said["digest"], "These are not the entries that were exported.")
    report.append(f"All {len(lines):,} entries are exactly what was recorded, each proven to be under the checkpoint.")

    asked = {name for name, value in wanted.items() if value}
    if not asked:
        demand(previous == said["size"] - 1 == len(lines) - 1, "The export claims to be whole and is not.")
        report.append("The export is whole: from the first entry to the moment of export nothing is missing.")
    elif asked == {"actor"}:
        whole(actor_seqs, "of this actor")
        report.append("Counted by actor, no entry before the last one shown is missing.")
    elif asked == {"about"}:
        whole(subject_seqs, "about this contact")
        report.append("Counted by contact, no entry before the last one shown is missing.")
    else:
        report.append("The export is a selection: " + json.dumps({name: wanted[name] for name in sorted(asked)}))

    if earlier is not None:
        old_size, old_root = parse_note(earlier, key)
        steps = json.loads(files["consistency.json"]())
        demand(old_size <= size, "The trail is shorter than the checkpoint you kept: something was removed.")
        demand(
            steps.get("from") == old_size or old_size in (0, size),
            "This export holds no proof for that checkpoint. Ask for an export with it.",
        )
        path = [bytes.fromhex(step) for step in steps.get("proof", [])] if old_size not in (0, size) else []
        demand(extends(old_size, old_root, size, root, path), "The trail was changed since the checkpoint you kept.")
        report.append(f"Nothing recorded before the checkpoint you kept ({old_size:,} entries) was changed or removed.")
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, help="the ZIP file, or the folder it was unpacked into")
    parser.add_argument("--key", help="the trail's public key, or a file with it")
    parser.add_argument("--earlier", type=Path, help="a checkpoint you kept from before")
    options = parser.parse_args(arguments)
    try:
        files = open_export(options.export)
        brought = files["trail.vkey"]().decode().strip()
        given = options.key or brought
        if options.key and Path(options.key).is_file():
            given = Path(options.key).read_text(encoding="utf-8")
        key = parse_key(given)
        demand(parse_key(brought) == key, "The export names another key than yours.")
        earlier = options.earlier.read_text(encoding="utf-8") if options.earlier else None
        for line in verify(files, key, earlier):
            print("ok      ", line)
    except Refused as refusal:
        print("REFUSED ", refusal)
        return 1
    except OSError as problem:
        print("The export cannot be read:", problem)
        return 2
    except (ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, NotImplementedError) as problem:
        print("REFUSED  The export is not in the form it should have:", type(problem).__name__)
        return 1
    if not options.key:
        digest = sha256(key[2]).hex()
        print("note     The key came with the export itself. Compare its fingerprint with the one you were shown:")
        print("         " + " ".join(digest[at : at + 4] for at in range(0, 64, 4)))
    print("VERIFIED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
