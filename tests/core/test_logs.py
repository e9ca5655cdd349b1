import logging
import sys

import pytest
from django.test import Client
from django.urls import resolve

from core.errors import DomainError
from core.logs import WithoutValues

SECRET = "canary-in-an-exception-5k2p"


class NotToday(DomainError):
    """A refusal of ours."""


def logged(error: BaseException, message: str = "Internal Server Error: %s", *args: object, name: str = "x") -> str:
    try:
        raise error
    except BaseException:
        record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, args or ("/people/",), sys.exc_info())
    return WithoutValues("%(levelname)s %(name)s %(message)s").format(record)


def chained() -> ValueError:
    outer = ValueError(f"outer {SECRET}")
    try:
        try:
            float(SECRET)
        except ValueError as inner:
            raise outer from inner
    except ValueError as error:
        return error


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(SECRET), chained(), RuntimeError({"email": SECRET})])
def test_an_exceptions_text_is_left_out_of_the_log_and_its_place_kept(error: BaseException) -> None:
    text = logged(error)
    assert SECRET not in text
    assert type(error).__name__ in text
    assert "test_logs.py" in text
    assert "/people/" in text


def test_what_we_wrote_ourselves_is_kept() -> None:
    assert "NotToday: Come back tomorrow." in logged(NotToday("Come back tomorrow."))


def test_celery_says_which_task_failed_and_not_with_what() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        args = {"name": "contacts.run_import", "id": "1", "exc": repr(error), "description": "raised unexpected"}
        args["traceback"] = f"Traceback … {SECRET}"
        message = "Task %(name)s[%(id)s] %(description)s: %(exc)s"
        record = logging.LogRecord("celery.app.trace", logging.ERROR, __file__, 1, message, (args,), sys.exc_info())
    text = WithoutValues("%(message)s").format(record)
    assert SECRET not in text
    assert "contacts.run_import" in text
    assert "ValueError" in text


TOKEN = "b3BlbnMtYS1wYXRpZW50cy1saW5r"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "says"),
    [
        ("GET", f"/m/u/{TOKEN}", "/m/u/<str:token>"),
        ("GET", f"/m/u/{TOKEN}?again={TOKEN}", "/m/u/<str:token>"),
        ("PUT", f"/m/p/{TOKEN}", "/m/p/<str:token>"),
        ("GET", f"/t/c/{TOKEN}/1", "/t/c/<str:token>/<int:number>"),
        ("GET", f"/m/nowhere/{TOKEN}", "(no such address)"),
        ("GET", f"/m/nowhere/%C3%BC{TOKEN}%0A", "(no such address)"),
        ("POST", f"/account/join/{TOKEN}", "/account/join/<str:secret>"),
        ("GET", f"/api/v1/nowhere/{TOKEN}", "/api/v1/<path:rest>"),
    ],
)
def test_the_log_names_the_route_and_never_the_path(
    method: str, path: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    answer = client.generic(method, path)
    assert answer.status_code >= 400
    lines = [WithoutValues("%(levelname)s %(name)s %(message)s").format(record) for record in caplog.records]
    assert lines
    assert TOKEN not in "\n".join(lines)
    assert says in lines[-1]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [f"/m/u/{TOKEN}", f"/t/c/{TOKEN}/1", "/api/v1/contacts"])
def test_a_crash_names_the_route_too(
    path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    match = resolve(path)
    if endpoint := getattr(match.func, "cls", None):
        monkeypatch.setattr(endpoint, "get", lambda *args, **kwargs: 1 / 0)
        monkeypatch.setattr(endpoint, "permission_classes", [])
        monkeypatch.setattr(endpoint, "authentication_classes", [])
    else:
        monkeypatch.setattr("django.core.handlers.base.BaseHandler._get_response", lambda *args: 1 / 0)
    assert Client(raise_request_exception=False).get(path).status_code == 500
    lines = [WithoutValues("%(message)s").format(record) for record in caplog.records]
    assert f"Internal Server Error: /{match.route}" in "\n".join(lines)
    assert TOKEN not in "\n".join(lines)


def test_the_settings_use_it() -> None:
    from django.conf import settings

    assert settings.LOGGING["formatters"]["line"]["()"] == "core.logs.WithoutValues"
