import asyncio
import contextlib
import importlib
import smtplib
import ssl
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest
from django.db import connection
from django.urls import Resolver404, clear_url_caches, resolve, reverse

from accounts.commands import issue_local_link
from accounts.models import User
from marketing import catcher, local_ca, mailbox, urls
from marketing.mailbox import Arrival
from marketing.models import CapturedMail
from tests import browser as browsing
from tests.marketing.ports import free_port

PERSON = "ada.lovelace@patient.example"
SECRET = "Your inhaler is ready"


def a_mail(subject: str = SECRET, to: str = PERSON, html: str = "<p style='color:red'>Hello <b>Ada</b></p>") -> bytes:
    message = EmailMessage()
    message["From"] = "Clinic <care@clinic.example>"
    message["To"] = to
    message["Subject"] = subject
    message["List-Unsubscribe"] = "<https://localhost/m/u/token>"
    message.set_content("Hello Ada, see http://localhost/t/c/abc")
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


@pytest.fixture
def reader(db: None) -> User:
    return User.objects.create_user("reader@clinic.example", "Rita Reader", ["approver"])


@pytest.fixture
def client_of_reader(client, reader):  # type: ignore[no-untyped-def]
    client.post(issue_local_link(reader))
    return client


@pytest.mark.django_db
def test_a_captured_mail_lies_in_the_database_as_ciphertext_only() -> None:
    mailbox.capture([Arrival([PERSON], a_mail(), "TLSv1.3 X")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM marketing_capturedmail t")
        (row,) = cursor.fetchone()
    assert SECRET not in row
    assert PERSON not in row
    assert "inhaler" not in row


@pytest.mark.django_db
def test_a_mail_is_kept_byte_for_byte() -> None:
    raw = a_mail() + bytes(range(256))
    mailbox.capture([Arrival([PERSON], raw, "")])
    assert CapturedMail.objects.get().message.encode("latin-1") == raw


@pytest.mark.django_db
def test_old_mails_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "KEPT", 2)
    for number in range(4):
        mailbox.capture([Arrival([PERSON], a_mail(f"Mail {number}"), "")])
    mailbox.make_room()
    assert [m.summary["subject"] for m in CapturedMail.objects.order_by("arrived_at")] == ["Mail 2", "Mail 3"]


@pytest.mark.django_db
@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"Subject: =?utf-8?q?=ff?=\r\n\r\nx", b"no headers at all"])
def test_a_mail_that_is_none_can_still_be_opened(client_of_reader, raw: bytes) -> None:  # type: ignore[no-untyped-def]
    mailbox.capture([Arrival([PERSON], raw, "")])
    mail = CapturedMail.objects.get()
    for side in ("mail", "text", "headers", "source", "html"):
        assert client_of_reader.get(reverse(f"mailbox:{side}", args=[mail.pk])).status_code == 200


def test_an_empty_mailbox_says_what_to_do_next(client_of_reader) -> None:  # type: ignore[no-untyped-def]
    page = client_of_reader.get(reverse("mailbox:list")).content.decode()
    assert "No mail yet" in page


@pytest.mark.parametrize("number", [1, 3])
def test_the_list_asks_the_same_however_many_mails(
    client_of_reader, number: int, django_assert_max_num_queries
) -> None:  # type: ignore[no-untyped-def]
    mailbox.capture([Arrival([PERSON], a_mail(), "")] * number)
    client_of_reader.get(reverse("mailbox:list"))
    with django_assert_max_num_queries(8):
        page = client_of_reader.get(reverse("mailbox:list")).content.decode()
    assert page.count(SECRET) == number


def test_strangers_see_no_mail(client, db) -> None:  # type: ignore[no-untyped-def]
    mailbox.capture([Arrival([PERSON], a_mail(), "")])
    for side in ("mail", "html", "source"):
        answer = client.get(reverse(f"mailbox:{side}", args=[CapturedMail.objects.get().pk]))
        assert answer.status_code == 302
        assert SECRET not in answer.content.decode()


def test_whoever_sees_aggregates_only_sees_no_mail_and_no_way_to_it(client, db) -> None:  # type: ignore[no-untyped-def]
    analyst = User.objects.create_user("anna@clinic.example", "Anna Analyst", ["analyst"])
    client.post(issue_local_link(analyst))
    mailbox.capture([Arrival([PERSON], a_mail(), "")])
    mail = CapturedMail.objects.get()
    for address in (
        reverse("mailbox:list"),
        *(reverse(f"mailbox:{side}", args=[mail.pk]) for side in ("mail", "text", "headers", "source", "html")),
    ):
        answer = client.get(address)
        assert answer.status_code == 403
        assert PERSON not in answer.content.decode()
    assert reverse("mailbox:list") not in client.get("/").content.decode()


def test_a_mail_may_style_itself_but_run_and_fetch_nothing(client_of_reader) -> None:  # type: ignore[no-untyped-def]
    mailbox.capture([Arrival([PERSON], a_mail(), "")])
    answer = client_of_reader.get(reverse("mailbox:html", args=[CapturedMail.objects.get().pk]))
    csp = answer["Content-Security-Policy"]
    assert "default-src 'none'" in csp
    assert "sandbox allow-popups" in csp
    assert "script-src" not in csp
    assert answer["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.django_db(transaction=True)
def test_the_catcher_takes_mail_over_verified_tls_only(tmp_path: Path) -> None:
    files = local_ca.prepare(tmp_path)
    loop = asyncio.new_event_loop()
    port = free_port()
    serving = loop.create_task(catcher.serve(port, files))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(serving)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        _wait_for_port(port)
        trust = ssl.create_default_context(cafile=str(files.authority))
        with smtplib.SMTP("localhost", port) as smtp:
            smtp.ehlo()
            assert smtp.mail("care@clinic.example")[0] == 530  # STARTTLS first
            smtp.starttls(context=trust)
            smtp.sendmail("care@clinic.example", [PERSON], a_mail())
        with smtplib.SMTP("localhost", port) as smtp, pytest.raises(ssl.SSLError):
            smtp.starttls(context=ssl.create_default_context())
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join(10)
    mail = CapturedMail.objects.get()
    assert mail.summary == {"to": PERSON, "from": "Clinic <care@clinic.example>", "subject": SECRET}
    assert mail.tls.startswith("TLSv1.3")


def _wait_for_port(port: int) -> None:
    from marketing.processes import await_port

    assert await_port(port, alive=lambda: True, seconds=10)


@pytest.mark.browser
def test_a_reader_opens_a_mail_and_its_link(visitors: browsing.Visitors, site: str) -> None:
    reader = User.objects.create_user("reader@clinic.example", "Rita Reader", ["marketer"])
    link = f'<a href="{site}/healthz">Book now</a>'
    html = f'<html lang="en"><head><title>x</title></head><body style="color:#333">{link}</body></html>'
    mailbox.capture([Arrival([PERSON], a_mail(html=html), "TLSv1.3 TLS_AES_256_GCM_SHA384")])
    page = visitors.new()
    browsing.sign_in(page, reader)
    page.goto("/mailbox/")
    browsing.assert_accessible(page)
    page.get_by_role("link", name=SECRET).click()
    browsing.assert_accessible(page)
    with page.context.expect_page() as opened:
        page.frame_locator("iframe.frame").get_by_role("link", name="Book now").click()
    opened.value.wait_for_load_state()
    assert opened.value.url == f"{site}/healthz"
    for name in ("Text part", "Headers", "Source"):
        page.get_by_role("link", name=name).click()
        browsing.assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 800})
    browsing.assert_fits(page)


def test_there_is_no_mailbox_but_on_a_local_run(settings) -> None:  # type: ignore[no-untyped-def]
    settings.LOCAL_RUN = False
    try:
        importlib.reload(urls)
        clear_url_caches()
        with pytest.raises(Resolver404):
            resolve("/mailbox/")
    finally:
        settings.LOCAL_RUN = True
        importlib.reload(urls)
        clear_url_caches()
    assert resolve("/mailbox/").view_name == "mailbox:list"
