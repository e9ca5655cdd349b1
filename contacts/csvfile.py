"""Read what people call CSV. Pure: bytes in, rows out, and a message for whatever cannot be read."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO

import msgspec

from contacts.errors import BadFile

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar"}
ENCODINGS = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "utf-16": "UTF-16"}
MAX_COLUMNS = 1_000
#: Characters of one physical line; beyond it the file is no table.
MAX_LINE = 16_000_000
MAX_CELL = 131_072
HEAD = 256 * 1024

_LOOKS_LIKE_VALUE = re.compile(r"^\S+@\S+\.\S+$|^[\d\s./:-]+$")


class Row(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One record of the file; `problem` says why it cannot be used as it stands."""

    line: int
    cells: list[str]
    problem: str = ""


class EncodingWatch:
    """Watches a file go by and says in the end how it is encoded."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._valid = True
        self._start = b""
        self._nulls = self._size = 0

    def feed(self, data: bytes) -> None:
        if len(self._start) < 8:
            self._start += data[:8]
        self._nulls += data.count(0)
        self._size += len(data)
        if self._valid:
            try:
                self._utf8.decode(data)
            except UnicodeDecodeError:
                self._valid = False

    def verdict(self) -> str:
        """The codec's name. Raises BadFile for what is no text at all."""
        if not self._size:
            raise BadFile("The file is empty. Export it again and upload the new file.")
        if self._start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
            raise BadFile("This is a workbook, not a CSV file. In Excel choose Save as, CSV UTF-8, and upload that.")
        if self._start.startswith((b"%PDF", b"\x1f\x8b", b"7z\xbc\xaf")):
            raise BadFile("This is not a CSV file but a document or an archive. Upload the CSV file itself.")
        if self._start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return "utf-16"
        if self._nulls > self._size / 100:
            raise BadFile("This is not a text file. Export the list as CSV (UTF-8) and upload that.")
        if self._valid:
            try:
                self._utf8.decode(b"", final=True)
            except UnicodeDecodeError:
                return "cp1252"
            return "utf-8-sig"
        return "cp1252"


def guess_delimiter(head: str) -> str:
    """The delimiter that cuts the first records into the same number of cells, most cells first."""

    def score(delimiter: str) -> tuple[float, int]:
        widths = []
        try:
            for cells in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter):
                if cells:
                    widths.append(len(cells))
                if len(widths) == 20:
                    break
        except csv.Error:
            pass
        if not widths or widths[0] < 2:
            return (0.0, 0)
        return (widths.count(widths[0]) / len(widths), widths[0])

    best = max(DELIMITERS, key=score)
    return best if score(best)[1] else ","


def looks_like_header(cells: list[str]) -> bool:
    """No cell of a header is an address, a number or a date."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return bool(filled) and not any(_LOOKS_LIKE_VALUE.search(cell) for cell in filled)


def decode_head(raw: bytes, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    return decoder.decode(raw)


def head_rows(raw: bytes, *, whole: bool, encoding: str, delimiter: str, count: int) -> list[list[str]]:
    """The first records of a file's beginning, lenient; the last record is left out if it may be cut off."""
    found: list[list[str]] = []
    try:
        for cells in csv.reader(io.StringIO(decode_head(raw, encoding), newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in cells):
                found.append(cells)
            if len(found) > count:
                break
    except csv.Error:
        pass
    if not whole and len(found) <= count and len(found) > 1:
        found.pop()
    return found[:count]


def header_names(cells: list[str]) -> list[str]:
    """A name for each column: empty ones by their number, repeated ones told apart."""
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.split())[:100] or f"Column {place}"
        names.append(f"{name} ({place})" if name in names else name)
    return names


def rows(stream: IO[bytes], *, encoding: str, delimiter: str) -> Iterator[Row]:
    """Every record of the file in order, blank lines left out; `line` counts physical lines from 1.

    A record with broken quotation marks is yielded with its problem. Raises BadFile where reading on would guess:
    a quotation mark that is never closed, a line without end.
    """
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")

    def lines() -> Iterator[str]:
        while line := text.readline(MAX_LINE):
            if len(line) >= MAX_LINE and not line.endswith(("\n", "\r")):
                raise BadFile(
                    f"Line {reader.line_num + 1} is longer than {MAX_LINE:,} characters. This is not a table; "
                    "check the export and upload it again."
                )
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            cause = str(problem)
            if "unexpected end" in cause or ("field limit" in cause and reader.line_num > start):
                raise BadFile(
                    f"A quotation mark opened on line {start} is never closed, so the rest of the file cannot be told "
                    "apart. Correct that line and upload the file again."
                ) from None
            if "field limit" in cause:
                yield Row(start, [], f"a cell is longer than {MAX_CELL:,} characters")
            else:
                yield Row(start, [], "the quotation marks do not match")
            continue
        if len(cells) > MAX_COLUMNS:
            yield Row(start, [], f"more than {MAX_COLUMNS:,} cells")
        elif "".join(cells).strip():
            yield Row(start, cells)


def checked(row: Row, width: int) -> Row:
    """The row, with its problem if its cells do not fit the header's."""
    if row.problem:
        return row
    cells = row.cells
    if len(cells) > width:
        if any(cell.strip() for cell in cells[width:]):
            return Row(row.line, cells, f"has {len(cells)} cells where the header has {width}")
        return Row(row.line, cells[:width])
    if len(cells) < width:
        return Row(row.line, cells, f"has {len(cells)} cells where the header has {width}")
    if "\ufffd" in "".join(cells):
        return Row(row.line, cells, "holds characters that cannot be read in this encoding")
    return row


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: marked with an apostrophe where it begins like one."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
