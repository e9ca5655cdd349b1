"""The files a clinic brings: Synthea's patients (with addresses added) and their conditions, or ones made alike."""

import csv
import io
import random
from dataclasses import dataclass
from pathlib import Path

from tests.data import SHARED

COLUMNS = [
    "Id",
    "BIRTHDATE",
    "DEATHDATE",
    "SSN",
    "FIRST",
    "LAST",
    "MAIDEN",
    "MARITAL",
    "RACE",
    "ETHNICITY",
    "GENDER",
    "ADDRESS",
    "CITY",
    "STATE",
    "ZIP",
]
CONDITIONS = {
    "44054006": "Diabetes mellitus type 2 (disorder)",
    "59621000": "Essential hypertension (disorder)",
    "195662009": "Acute viral pharyngitis (disorder)",
}


@dataclass(frozen=True)
class Files:
    """`patients` and `conditions` as CSV; `canaries`: values of people that must never lie anywhere in the clear."""

    patients: str
    conditions: str
    #: address by patient id
    addresses: dict[str, str]
    #: patient ids by condition code
    having: dict[str, set[str]]
    names: dict[str, str]
    canaries: list[str]


def clinic_files() -> Files:
    folder = SHARED / "synthea" / "csv"
    if folder.exists():
        return _files(_read(folder / "patients.csv"), _read(folder / "conditions.csv"))
    return _files(*_made_alike())


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _made_alike() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """59 people of Synthea's shape, for machines that have no copy of it."""
    rng = random.Random(59)
    patients, conditions = [], []
    for n in range(59):
        pid = f"{rng.getrandbits(32):08x}-0000-4000-8000-{n:012x}"
        first, last = f"Mária{rng.randrange(100, 999)}", f"O'Keefe{rng.randrange(100, 999)}"
        born = f"{rng.randrange(1930, 2015)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        row = dict.fromkeys(COLUMNS, "") | {"Id": pid, "BIRTHDATE": born, "FIRST": first, "LAST": last}
        row |= {"SSN": f"999-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}", "GENDER": rng.choice("MF")}
        patients.append(row | {"CITY": "Springfield", "STATE": "Massachusetts", "ZIP": "01103"})
        for code in rng.sample(sorted(CONDITIONS), 2):
            conditions.append(
                {"START": "2019-06-29", "STOP": rng.choice(["", "2020-01-01"]), "PATIENT": pid, "ENCOUNTER": "",
                 "CODE": code, "DESCRIPTION": CONDITIONS[code]}
            )  # fmt: skip
    return patients, conditions


def _files(patients: list[dict[str, str]], conditions: list[dict[str, str]]) -> Files:
    addresses, names, having = {}, {}, {}
    for n, row in enumerate(patients):
        addresses[row["Id"]] = row["EMAIL"] = f"pat{n:03d}.zephyrlane@patients.example"
        names[row["Id"]] = row["FIRST"]
    for row in conditions:
        having.setdefault(row["CODE"], set()).add(row["PATIENT"])
    canaries = [row[key] for row in patients for key in ("EMAIL", "SSN", "Id") if row.get(key)]
    canaries += [row["LAST"] for row in patients if len(row["LAST"]) > 6]
    canaries += [row["ADDRESS"] for row in patients if len(row.get("ADDRESS", "")) > 8]
    canaries += sorted({row["DESCRIPTION"] for row in conditions if len(row["DESCRIPTION"]) > 16})
    return Files(_csv(patients), _csv(conditions), addresses, having, names, canaries)


def _csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
