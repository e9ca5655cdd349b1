"""The export as a ZIP, written while it is sent: memory stays flat however long the trail is."""

import io
import json
from collections.abc import Iterator
from zipfile import ZIP_DEFLATED, ZipFile

from audit import leaves, signing
from audit.models import Leaf
from audit.queries import Tree
from audit.verify_export import FORMAT
from trail.commands import VERIFIER, Export
from trail.queries import moment_text

CHUNK = 2_000


class _Sink(io.RawIOBase):
    """A file that only takes; `take` gives what has come since."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def stream(export: Export, *, earlier: int | None = None) -> Iterator[bytes]:
    """The archive in pieces. `earlier`: size of a checkpoint the auditor kept, for a proof that it still stands."""
    tree, sink = Tree(), _Sink()
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for name, content in _small_files(export, tree, earlier):
            archive.writestr(name, content)
        with archive.open("entries.jsonl", "w", force_zip64=True) as file:
            for rows in _chunks(export):
                file.write(b"".join(leaves.encode(leaf.entry, leaf) + b"\n" for leaf in rows))
                yield sink.take()
        with archive.open("proofs.jsonl", "w", force_zip64=True) as file:
            for rows in _chunks(export):
                file.write(b"".join(_proof(leaf.index, export, tree) + b"\n" for leaf in rows))
                yield sink.take()
    yield sink.take()


def _small_files(export: Export, tree: Tree, earlier: int | None) -> Iterator[tuple[str, bytes]]:
    receipt = export.receipt
    manifest = {
        "format": FORMAT,
        "trail": signing.origin(),
        "entries": export.entries,
        "filter": export.wanted.as_dict(),
        "size": export.size,
        "made_at": moment_text(receipt.entry.at),
    }
    kept = earlier if earlier is not None and 0 < earlier < export.checkpoint.size else None
    proof = {"from": kept, "proof": _hex(tree.consistency(kept, export.checkpoint.size)) if kept else []}
    record = leaves.encode(receipt.entry, receipt).decode()
    yield "manifest.json", json.dumps(manifest, indent=1).encode()
    yield "checkpoint.txt", export.checkpoint.note.encode()
    yield "trail.vkey", signing.verifier_key().encode() + b"\n"
    yield "receipt.json", json.dumps({"entry": record, **json.loads(_proof(receipt.index, export, tree))}).encode()
    yield "names.json", export.names
    yield "consistency.json", json.dumps(proof).encode()
    yield "verify_export.py", VERIFIER


def _chunks(export: Export) -> Iterator[list[Leaf]]:
    rows = Leaf.objects.filter(export.wanted.condition("entry__"), index__lt=export.size)
    rows = rows.select_related("entry").order_by("index")
    after = -1
    while found := list(rows.filter(index__gt=after)[:CHUNK]):
        yield found
        after = found[-1].index


def _hex(hashes: list[bytes]) -> list[str]:
    return [found.hex() for found in hashes]


def _proof(index: int, export: Export, tree: Tree) -> bytes:
    proof = _hex(tree.inclusion(index, export.checkpoint.size))
    return json.dumps({"index": index, "proof": proof}, separators=(",", ":")).encode()
