"""A bench over a large deployment: the one DATABASE_URL names, or a scratch database that is seeded first."""

import os
from collections.abc import Callable


def run(measure: Callable[[], None], size: int) -> None:
    if "DATABASE_URL" in os.environ:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
        os.environ.setdefault("CARILLON_LOCAL_RUN", "1")
        import django

        django.setup()
        measure()
        return
    from bench import _door, million

    with _door.scratch():
        million.seed(size, processes=1)
        measure()
