"""The trail in a real browser: reachable, readable, and an export that its own verifier accepts."""

from pathlib import Path
from typing import Any

import pytest

from accounts.policy import Role
from audit import signing, verify_export
from audit.commands import record, seal, verify
from core.actors import PATIENT, SYSTEM
from tests.accounts.factories import UserFactory
from tests.browser import Visitors, assert_accessible, assert_fits, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_officer_reads_the_trail_and_exports_it(visitors: Visitors, tmp_path: Path) -> None:
    officer = UserFactory(roles=[Role.COMPLIANCE.value], name="Olga Overbeck-Schwarzenberger")
    entry = record("consent.opted_out", by=PATIENT)
    record("test.happened", by=SYSTEM, target=officer)
    seal()
    verify()
    for width in (1440, 390):
        page = visitors.new(width=width, accept_downloads=True)
        sign_in(page, officer)
        for path in ("", f"entries/{entry.pk}", "checkpoints", "export", "?until=2001-01-01"):
            page.goto(f"/compliance/trail/{path}")
            assert_accessible(page)
            assert_fits(page)
    _export(page, tmp_path)


def _export(page: Any, folder: Path) -> None:
    page.goto("/compliance/trail/export")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export", exact=True).click()
    path = folder / "export.zip"
    download.value.save_as(path)
    assert verify_export.main([str(path), "--key", signing.verifier_key()]) == 0
