"""The codes of coded lists, as pickers offer them: counted when a partition was written, corrected for who changed."""

from collections import Counter
from collections.abc import Iterable, Mapping

from contacts.models import Kind
from contacts.records import Record
from phi.keyring import keyring
from segments.store import reading, tables
from segments.store.part import SIZE


def codes(keys: Iterable[str]) -> dict[str, list[tables.Counted]]:
    """Of these coded lists the codes in use, most frequent first."""
    keyring().current_kek()
    kinds = dict.fromkeys(keys, str(Kind.CODED))
    changed, people = reading.changed_people(None)
    wanted = reading.wanted_of({}, ids=False) | {
        tables.codes(key): {tables.codes(key): tables.COUNTED} for key in kinds
    }
    opened = {found.head.number: found for found in reading.partitions(wanted, kinds, None)}
    dirty = sorted(set((changed // SIZE).tolist()) & set(opened))
    counts: dict[str, Counter[str]] = {key: Counter() for key in kinds}
    names: dict[str, dict[str, Counter[str]]] = {key: {} for key in kinds}
    for number, found in opened.items():
        for key in kinds:
            for code, count, name in found.held[tables.codes(key)]:
                if number not in dirty:
                    counts[key][code] += count
                if name:
                    names[key].setdefault(code, Counter())[name] += count
    if dirty:
        only = range(dirty[0], dirty[-1] + 1)
        for found in reading.partitions(reading.wanted_of(kinds, ids=False), kinds, only):
            if found.head.number in dirty:
                left = reading.left(found, changed)
                for key in kinds:
                    entries = found.held[tables.coded(key)]
                    counts[key].update(
                        dict(zip(entries.codes, tables.people_with(entries, left).tolist(), strict=True))
                    )
    _count_people((record for _, _, record in people), counts, names)
    return {
        key: [
            tables.Counted(code, count, _usual(names[key].get(code)))
            for code, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
            if count > 0
        ]
        for key, counted in counts.items()
    }


def _count_people(
    records: Iterable[Record], counts: Mapping[str, "Counter[str]"], names: Mapping[str, dict[str, "Counter[str]"]]
) -> None:
    """Add the codes of these records."""
    for record in records:
        for key in counts.keys() & record.coded.keys():
            entries = record.coded[key]
            counts[key].update({entry.code.upper() for entry in entries})
            for entry in entries:
                if entry.display:
                    names[key].setdefault(entry.code.upper(), Counter())[entry.display] += 1


def _usual(names: "Counter[str] | None") -> str:
    return min(names, key=lambda name: (-names[name], name)) if names else ""
