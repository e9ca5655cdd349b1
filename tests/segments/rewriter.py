"""Writes a partition and stops at one point, to be killed: `python -m tests.segments.rewriter NUMBER POINT`."""

import sys
import time
from typing import Any

import django

django.setup()

from segments.store import rows, writing  # noqa: E402

number, point = int(sys.argv[1]), sys.argv[2]
real = getattr(rows, point)


def stopping(*given: Any) -> None:
    real(*given)
    print("there", flush=True)
    time.sleep(600)


setattr(rows, point, stopping)
writing.write(number)
