"""Settings of the suite: those of a local run, in a throw-away home, on PostgreSQL started for the occasion.

What the environment already says is kept: DATABASE_URL (a role with CREATEDB), CARILLON_HOME, CARILLON_TEST_DATABASE.
Workers of pytest-xdist inherit the environment, so one server and one key file serve them all.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from marketing.postgres import Server
from phi.providers import LocalKeyFile

os.environ.setdefault("CARILLON_LOCAL_RUN", "1")
os.environ.setdefault("CARILLON_EAGER_TASKS", "1")
#: Playwright keeps an event loop in the test's thread; Django need not mind.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

if "CARILLON_HOME" not in os.environ:
    home = tempfile.mkdtemp(prefix="carillon-test-")
    os.environ["CARILLON_HOME"] = home
    atexit.register(shutil.rmtree, home, ignore_errors=True)
HOME_FOLDER = Path(os.environ["CARILLON_HOME"])

if "DATABASE_URL" not in os.environ:
    server = Server(HOME_FOLDER / "test-postgres", throwaway=True)
    os.environ["DATABASE_URL"] = server.start()
    atexit.register(server.stop)

from marketing.settings import *  # noqa: E402, F403

keys = HOME_FOLDER / "keys" / "keyring.json"
if not keys.exists():
    LocalKeyFile.create(keys)
