"""A worker of its own that does nothing but drain: `python -m tests.delivery.drainer STREAM`, made to be killed."""

import sys
import time

import django

django.setup()

from delivery import engine  # noqa: E402

while True:
    if not engine.drain(sys.argv[1], seconds=5):
        time.sleep(0.05)
