"""A real browser for the journeys: nothing leaves our host, breaks the CSP or shuts people out."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.signals import request_finished, request_started

MISSING = "there is no Chromium here (install it, or name one in CARILLON_CHROMIUM)"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # Even what slips past the watch below finds no other host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


def chromium_path() -> str | None:
    """Debian's or any other Chromium on this machine; playwright's own download is not asked for."""
    named = os.environ.get("CARILLON_CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        yield browser
        browser.close()


class InFlight:
    """How many requests the server in this process is answering."""

    def __init__(self) -> None:
        self.count, self.lock = 0, Lock()
        request_started.connect(self._began)
        request_finished.connect(self._ended)

    def _began(self, **_: Any) -> None:
        with self.lock:
            self.count += 1

    def _ended(self, **_: Any) -> None:
        with self.lock:
            self.count -= 1

    def settle(self, *, quiet: float = 0.15, within: float = 15.0) -> None:
        """Wait until none is under way for `quiet` seconds: what a page sends as it is closed comes a moment later."""
        last, end = time.monotonic(), time.monotonic() + within
        while time.monotonic() < min(last + quiet, end):
            if self.count > 0:
                last = time.monotonic()
            time.sleep(0.01)
        assert self.count <= 0, f"{self.count} requests did not end within {within:.0f} seconds"


class Visitors:
    """Browsers of several people at one site, watched."""

    def __init__(self, browser: Any, site: str) -> None:
        self.browser = browser
        self.site = site
        self.in_flight = InFlight()
        self.contexts: list[Any] = []
        #: What must stay empty: requests to other hosts, broken content policy, uncaught errors of our scripts.
        self.complaints: list[str] = []

    def new(self, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        """A page of a person who has not been here before."""
        context = self.browser.new_context(
            base_url=self.site, viewport={"width": width, "height": height}, locale="en-US", **options
        )
        context.set_default_timeout(15_000)
        context.route("**/*", self._gate)
        context.on("weberror", lambda error: self.complaints.append(f"script error: {error.error}"))
        context.on("console", self._listen)
        self.contexts.append(context)
        return context.new_page()

    def leave(self) -> None:
        for context in self.contexts:
            context.close()
        self.in_flight.settle()
        assert not self.complaints, "\n".join(self.complaints)

    def _gate(self, route: Any) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in ("data", "blob", "about") or url.netloc == urlsplit(self.site).netloc:
            route.continue_()
        else:
            self.complaints.append(f"left our host: {url.scheme}://{url.netloc}{url.path}")
            route.abort()

    def _listen(self, message: Any) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            self.complaints.append(f"content policy: {message.text}")


def sign_in(page: Any, user: Any) -> None:
    """Open a signed-in session by a local run's one-time link; tests of signing in itself do not use this."""
    from accounts.commands import issue_local_link

    page.goto(urlsplit(issue_local_link(user)).path)
    page.get_by_role("button", name=re.compile("^Sign in")).click()
    page.wait_for_url(lambda url: "/account/local/" not in url)


def asks_before_it_goes(page: Any, link: Any) -> str:
    """Follow a link away and stay, as somebody does who is asked; fails where nobody asks. What kind of question."""
    page.once("dialog", lambda dialog: dialog.dismiss())
    with page.expect_event("dialog") as asked:
        link.click(no_wait_after=True)
    return str(asked.value.type)


@cache
def _axe() -> str:
    return (Path(settings.NODE_MODULES) / "axe-core" / "axe.min.js").read_text()


def assert_accessible(page: Any, *, ignore: tuple[str, ...] = ()) -> None:
    """Fail on serious and critical violations of WCAG that axe-core finds on the page as it stands."""
    page.evaluate(_axe())
    result = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    found = [
        f"{issue['id']} ({issue['impact']}): {issue['help']}\n    "
        + "\n    ".join(n["html"][:160] for n in issue["nodes"][:3])
        for issue in result["violations"]
        if issue["impact"] in ("serious", "critical") and issue["id"] not in ignore
    ]
    assert not found, f"{urlsplit(page.url).path}: " + "\n".join(found)


def assert_fits(page: Any) -> None:
    """Fail if the page scrolls sideways at its present width."""
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{urlsplit(page.url).path} is {wide} pixels too wide"
