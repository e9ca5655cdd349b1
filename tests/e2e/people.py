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

#: An address the import refuses; its row must be kept sealed, too.
REFUSED = "refused canary@@patients.example"


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
        # What is too short or too common to be told from chance is made unmistakable.
        row["PHONE"] = f"+1555730{n:04d}"
        row["ZIP"] = f"{row.get('ZIP') or '01103'}-{7000 + n}"
        row["CITY"] = f"{row.get('CITY') or 'Springfield'} Zq{n:03d}x"
        row["STATE"] = f"{row.get('STATE') or 'Ohio'} Yw{n:03d}x"
        row["ADDRESS"] = f"{row.get('ADDRESS') or 'Elm Street'} #{n:03d}vq"
        row["BMI"] = f"{20 + n / 7:.9f}"
        names[row["Id"]] = row["FIRST"]
    for n, row in enumerate(patients[:3]):
        code = {"CODE": f"ZQ-{n}-CANARYCODE", "DESCRIPTION": f"Canary condition {n} (disorder)"}
        conditions.append(dict.fromkeys(conditions[0], "") | {"PATIENT": row["Id"], "START": "2020-02-02"} | code)
    for row in conditions:
        having.setdefault(row["CODE"], set()).add(row["PATIENT"])
    fields = ("EMAIL", "SSN", "Id", "BIRTHDATE", "PHONE", "ZIP", "CITY", "STATE", "ADDRESS", "BMI", "FIRST", "LAST")
    canaries = {row[key] for row in patients for key in fields if len(row.get(key, "")) >= 8}
    canaries |= {row["DESCRIPTION"] for row in conditions if len(row["DESCRIPTION"]) > 16}
    canaries |= {row["CODE"] for row in conditions if "CANARY" in row["CODE"]}
    refused = dict.fromkeys(patients[0], "") | {"Id": "refused-canary-0001", "FIRST": "Refusedcanary", "EMAIL": REFUSED}
    return Files(
        _csv([*patients, refused]),
        _csv(conditions),
        addresses,
        having,
        names,
        sorted(canaries | {REFUSED, refused["Id"]}),
    )


def _csv(rows: list[dict[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
