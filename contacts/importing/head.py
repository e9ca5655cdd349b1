"""The beginning of an uploaded file: its columns, some values of each, and what they likely mean."""

from dataclasses import dataclass

from contacts import chunks, csvfile, mapping, queries
from contacts.chunks import Box
from contacts.errors import BadFile
from contacts.models import Import


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, for mapping its columns."""

    headers: list[str]
    #: For each column, its first values.
    samples: list[list[str]]
    duplicates: list[str]


def read(owner: Import, *, header: bool, count: int = 20) -> Head:
    """The header and the first rows. Raises BadFile where there is nothing to read."""
    raw = Box(owner).take(chunks.SOURCE, 0) or b""
    found = csvfile.head_rows(raw[: csvfile.HEAD], whole=len(raw) < csvfile.HEAD, encoding=owner.encoding,
                              delimiter=owner.delimiter, count=count + 1)  # fmt: skip
    if not found:
        raise BadFile("The file holds no rows. Export it again and upload the new file.")
    first = found[0]
    headers = csvfile.header_names(first if header else [""] * len(first))
    rows = found[1:] if header else found
    samples = [[row[i] for row in rows if i < len(row) and row[i].strip()] for i in range(len(headers))]
    plain = [cell.strip() for cell in first if cell.strip()] if header else []
    return Head(headers, samples, sorted({name for name in plain if plain.count(name) > 1}))


def guess(owner: Import, *, header: bool) -> None:
    """Give the import the likely meaning of its columns, or the one somebody chose the last time."""
    head, live = read(owner, header=header), queries.attributes()
    columns, day_first = mapping.guess(head.headers, owner.shape, live), False
    saved = mapping.remembered(head.headers) if header else None
    if saved and saved.shape == owner.shape:
        known = mapping.CODED_ROLES if owner.shape == Import.Shape.CODED else live
        columns = [key if key in known else "" for key in saved.mapping["columns"]]
        day_first = bool(saved.mapping.get("day_first"))
        coded = live.get(saved.mapping.get("coded", ""))
        owner.coded_attribute = coded if coded and coded.kind == "coded" else owner.coded_attribute
    owner.mapping = {"columns": columns, "headers": head.headers, "header": header, "day_first": day_first}
