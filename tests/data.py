"""Where the shared synthetic material lies, for tests that use it."""

import os
from pathlib import Path

SHARED = Path(os.environ.get("CARILLON_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
