"""The engine does what a slow and obvious interpreter says, whatever is drawn, done and broken."""

import random
from collections import Counter

import pytest

from tests.workflows.ahead import compared
from tests.workflows.truth import Setting
from tests.workflows.worlds import Drawn, wanted

#: Worlds in which, taken together, everything comes to pass that is wanted.
SEEDS, DEEDS = [0, 10, 11, 13, 20, 21, 22, 25, 27, 29, 31], 36

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_engine_and_the_interpreter_agree() -> None:
    setting, seen = Setting(), Counter[str]()
    for seed in SEEDS:
        seen += Drawn(setting, seed).pass_by(DEEDS)
    never = sorted(wanted() - set(seen))
    assert not never, "What is not drawn is not proved: draw it more often (tests/workflows/drawn.py, worlds.py)"


def test_the_engine_does_what_the_simulator_foretold() -> None:
    setting, passed = Setting(), 0
    for seed in range(8):
        foretold, lived, definition = compared(setting, random.Random(seed), people=6)
        for who, trace in foretold.items():
            assert lived[who] == trace, definition
        passed += sum(map(len, foretold.values()))
    assert passed > 100
