"""The codes of coded lists, as pickers offer them: counted when a partition was written, corrected for who changed."""

from collections import Counter
from collections.abc import Iterable, Mapping

from contacts.models import Kind
from contacts.records import Record
from phi.keyring import keyring
from segments.columns import Mask
from segments.store import reading, tables
from segments.store.changes import Changed, changed_people
from segments.store.memory import memory
from segments.store.part import SIZE
from segments.store.tables import Code


def codes(keys: Iterable[str]) -> dict[str, list[Code]]:
    """Of these coded lists the codes in use, most frequent first. Raises KeyUnavailable."""
    keyring().current_kek()
    kinds = dict.fromkeys(keys, str(Kind.CODED))
    changed = changed_people()
    wanted = reading.wanted_of({}, ids=False) | {
        tables.codes(key): {tables.codes(key): tables.COUNTED} for key in kinds
    }
    opened = {found.head.number: found for found in reading.partitions(wanted, kinds, None)}
    state = (changed.state, frozenset(found.head.key.wrapped for found in opened.values()), tuple(kinds))
    return memory.get(
        ("codes", state),
        lambda: _counted(opened, changed, kinds),
        lambda counted: 200 * sum(len(found) for found in counted.values()),
    )


def _counted(opened: Mapping[int, reading.Opened], changed: Changed, kinds: Mapping[str, str]) -> dict[str, list[Code]]:
    dirty = sorted(set((changed.numbers // SIZE).tolist()) & set(opened))
    counts: dict[str, Counter[str]] = {key: Counter() for key in kinds}
    names: dict[str, dict[str, Counter[str]]] = {key: {} for key in kinds}
    for number, found in opened.items():
        for key in kinds:
            for code, name, count in found.held[tables.codes(key)]:
                if number not in dirty:
                    counts[key][code] += count
                if name:
                    names[key].setdefault(code, Counter())[name] += count
    if dirty:
        for found in reading.partitions(reading.wanted_of(kinds, ids=False), kinds, range(dirty[0], dirty[-1] + 1)):
            if found.head.number in dirty:
                _count_left(found, reading.left(found, changed), counts)
    _count_people((record for _, _, record in changed.people), counts, names)
    return {
        key: [
            Code(code, _usual(names[key].get(code)), count)
            for code, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
            if count > 0
        ]
        for key, counted in counts.items()
    }


def _count_left(found: reading.Opened, left: Mask, counts: Mapping[str, "Counter[str]"]) -> None:
    """Add the codes of a partition, without those of whoever changed."""
    for key, counted in counts.items():
        entries = found.held[tables.coded(key)]
        counted.update(dict(zip(entries.codes, tables.people_with(entries, left).tolist(), strict=True)))


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
