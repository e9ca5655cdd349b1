"""The compliance map names only what exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "compliance.md").read_text()
ROWS = [line for line in TEXT.splitlines() if re.match(r"\| [A-Z]{3}-\d\d", line)]
#: What issue after issue has promised; a row may not vanish silently.
PROMISED = (
    [f"UNS-{n:02}" for n in range(1, 7)]
    + [f"TRK-{n:02}" for n in range(1, 9)]
    + [f"SEC-{n:02}" for n in (1, 3, 4, 12, 14, 15, 17, 18)]
    + [f"IDN-{n:02}" for n in (1, 2, 4, 5, 6, 7, 16)]
    + ["SND-03", "SND-04", "SND-08", "CAN-09", "CAN-13", "CAN-17", "IDX-01", "KEY-03", "LOG-01", "LOG-12"]
)


@cache
def names(path: Path) -> set[str]:
    """Functions, classes and constants at the top of a module."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_named_path_and_test_exists(row: str) -> None:
    _, _, _, code, proof, _ = row.split("|")
    assert re.findall(r"`([^`]+)`", code)
    tests = re.findall(r"`([^`]+)`", proof)
    assert tests
    assert all(test.startswith("tests/") and "::test_" in test for test in tests)
    for reference in re.findall(r"`([^`]+)`", code + proof):
        path, _, name = reference.partition("::")
        assert (ROOT / path).exists(), f"{path} does not exist"
        assert not name or name in names(ROOT / path), f"{path} has no {name}"


def test_every_promised_requirement_has_a_row() -> None:
    told = {name for row in ROWS for name in re.findall(r"[A-Z]{3}-\d\d", row.split("|")[1])}
    assert not set(PROMISED) - told
