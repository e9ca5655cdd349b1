import logging
import sys

import pytest

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


def test_the_settings_use_it() -> None:
    from django.conf import settings

    assert settings.LOGGING["formatters"]["line"]["()"] == "core.logs.WithoutValues"
