import threading

from celery import current_app

from marketing.celery import app


def test_every_thread_finds_the_configured_application() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(current_app.main))
    thread.start()
    thread.join()
    assert found == [app.main]
