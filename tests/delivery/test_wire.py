"""Verified TLS or nothing: rogue relays get no byte of mail, and what an honest one proved is what is kept."""

import hashlib
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from delivery.transports import smtp, wire
from delivery.transports.wire import Connection, Envelope, Fate, RelayConfig, RelayTrouble
from tests.delivery.smtp import Catcher, Rogue, authority

MAIL_VERBS = ("MAIL", "RCPT", "DATA", "AUTH")
EHLO = "250-rogue\n250-STARTTLS\n250-AUTH PLAIN LOGIN\n250 PIPELINING"
#: A server that says yes to everything, encrypted or not.
EAGER = {
    "EHLO": EHLO, "STARTTLS": "220 go", "AUTH": "235 fine", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go",
    "QUIT": "221 bye",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    smtp.close()


def config(port: int, *, security: str = "starttls", ca: str | None = None, **more: str) -> RelayConfig:
    return RelayConfig(uuid4(), "localhost", port, security, ca_certificate=ca or authority().pem, **more)


def envelope(to: str = "ann@example.com", body: bytes = b"Subject: x\r\n\r\nsecret\r\n") -> Envelope:
    return Envelope(uuid4(), uuid4(), "news@clinic.example", to, body)


def trouble_of(relay: RelayConfig) -> RelayTrouble:
    handover = smtp.deliver(relay, [envelope(), envelope()], seconds=10)
    assert [result.fate for result in handover.results] == [Fate.UNSENT, Fate.UNSENT]
    assert handover.trouble is not None
    return handover.trouble


def test_what_the_wire_proved_is_what_openssl_says(tmp_path: Path) -> None:
    with Catcher(tmp_path) as server:
        session = smtp.probe(config(server.port))
        certificate = ssl.PEM_cert_to_DER_cert((tmp_path / "localhost.crt").read_text())
        assert session.certificate_sha256 == hashlib.sha256(certificate).hexdigest()
        assert session.certificate_subject == "localhost"
        assert session.tls_version == "TLSv1.3"
        assert session.basis == "private-ca"
        assert session.address == "127.0.0.1"


def test_a_server_without_starttls_hears_nothing_but_our_greeting() -> None:
    with Rogue({**EAGER, "EHLO": "250-rogue\n250 PIPELINING"}) as rogue:
        assert trouble_of(config(rogue.port)).code == "no_starttls"
        assert rogue.heard(*MAIL_VERBS) == []


def test_a_server_that_takes_starttls_back_hears_nothing() -> None:
    with Rogue({**EAGER, "STARTTLS": "454 not now"}) as rogue:
        assert trouble_of(config(rogue.port)).code == "no_starttls"
        assert rogue.heard(*MAIL_VERBS) == []


def test_replies_slipped_in_before_the_encryption_end_the_session(tmp_path: Path) -> None:
    """CVE-2011-0411 the other way round: plaintext after 220 must not be taken for an encrypted reply."""
    context = authority().context("localhost", tmp_path)
    with Rogue({**EAGER, "STARTTLS": "220 go\n250 ok\n250 ok"}, context) as rogue:
        assert trouble_of(config(rogue.port)).code == "no_starttls"
        assert rogue.heard(*MAIL_VERBS) == []


@pytest.mark.parametrize(
    ("host", "expired", "issuer"),
    [("other.example", False, "Test authority"), ("localhost", True, "Test authority"), ("localhost", False, "Rogue")],
    ids=["wrong host", "expired", "unknown authority"],
)
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_does_not_verify_gets_no_byte(
    tmp_path: Path, host: str, expired: bool, issuer: str, security: str
) -> None:
    context = authority(issuer).context(host, tmp_path, expired=expired)
    if security == "tls":
        with Catcher(tmp_path / "x", host=host, expired=expired, issuer=authority(issuer)) as server:
            # Even a server that speaks STARTTLS first fails the handshake of implicit TLS.
            assert trouble_of(config(server.port, security="tls")).code in ("tls", "certificate")
            assert server.messages == []
        return
    with Rogue(EAGER, context) as rogue:
        assert trouble_of(config(rogue.port)).code == "certificate"
        assert rogue.heard(*MAIL_VERBS) == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_gets_no_byte(tmp_path: Path, version: ssl.TLSVersion) -> None:
    context = authority().context("localhost", tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = version
    with Rogue(EAGER, context) as rogue:
        assert trouble_of(config(rogue.port)).code == "tls"
        assert rogue.heard(*MAIL_VERBS) == []


def test_the_systems_authorities_count_where_the_relay_names_none(tmp_path: Path) -> None:
    context = authority().context("localhost", tmp_path)
    with Rogue(EAGER, context) as rogue:
        relay = RelayConfig(uuid4(), "localhost", rogue.port, "starttls")
        assert trouble_of(relay).code == "certificate"
        assert rogue.heard(*MAIL_VERBS) == []


def test_the_password_travels_only_encrypted_and_a_wrong_one_is_our_trouble(tmp_path: Path) -> None:
    with Catcher(tmp_path, login=("clinic", "right")) as server:
        assert trouble_of(config(server.port, username="clinic", password="wrong")).code == "authentication"
        good = config(server.port, username="clinic", password="right")
        assert [r.fate for r in smtp.deliver(good, [envelope()], seconds=10).results] == [Fate.SENT]
        assert "right" not in repr(good)


def test_connections_are_reused_and_each_message_has_one_recipient(tmp_path: Path) -> None:
    with Catcher(tmp_path) as server:
        relay = RelayConfig(
            uuid4(), "localhost", server.port, "starttls", ca_certificate=authority().pem, connections=2
        )
        first = smtp.deliver(relay, [envelope(f"p{n}@example.com") for n in range(10)], seconds=10)
        second = smtp.deliver(relay, [envelope(f"q{n}@example.com") for n in range(10)], seconds=10)
        sessions = {r.session.id for r in (*first.results, *second.results) if r.session}
        assert len(sessions) <= 2
        assert len(server.messages) == 20
        assert all(len(message.recipients) == 1 for message in server.messages)


def test_a_connection_the_server_has_ended_meanwhile_is_replaced(tmp_path: Path) -> None:
    with Catcher(tmp_path) as server:
        relay = config(server.port)
        smtp.deliver(relay, [envelope()], seconds=10)
        server.mail = lambda address, times: "drop" if times == 2 else None
        assert [r.fate for r in smtp.deliver(relay, [envelope()], seconds=10).results] == [Fate.SENT]


def test_dots_at_line_starts_arrive_as_they_left(tmp_path: Path) -> None:
    body = b"Subject: x\r\n\r\n.\r\n..two\r\n.three\r\nend.\r\n"
    with Catcher(tmp_path) as server:
        smtp.deliver(config(server.port), [envelope(body=body)], seconds=10)
        assert server.messages[0].data == body


@pytest.mark.parametrize("bad", ["a@example.com>\r\nRCPT TO:<b@example.com", "a@example.com\nDATA", "a\r@example.com"])
def test_an_envelope_cannot_smuggle_commands(tmp_path: Path, bad: str) -> None:
    with Catcher(tmp_path) as server:
        handover = smtp.deliver(config(server.port), [envelope(bad)], seconds=10)
        assert handover.results[0].fate == Fate.UNSENT
        assert server.asked == {}


def test_nothing_is_begun_after_the_deadline(tmp_path: Path) -> None:
    with Catcher(tmp_path) as server:
        assert smtp.deliver(config(server.port), [envelope()], seconds=0).results[0].fate == Fate.UNSENT
        assert server.messages == []


@pytest.mark.parametrize(("reply", "code"), [("421 4.7.0 go away", "unreachable"), ("451 4.3.2 busy", "busy"),
                                             ("550 5.7.1 you may not", "sender_refused"),
                                             ("530 5.7.0 sign in first", "authentication")])  # fmt: skip
def test_what_the_relay_has_against_us_is_held_against_no_recipient(tmp_path: Path, reply: str, code: str) -> None:
    with Catcher(tmp_path) as server:
        server.mail = lambda address, times: reply
        assert trouble_of(config(server.port)).code == code


@pytest.mark.parametrize("greeting", ["554 no service", "421 busy", "hello", "220" + "x" * 100_000])
def test_a_strange_greeting_is_our_trouble(greeting: str) -> None:
    with Rogue(EAGER, greeting=greeting) as rogue:
        assert trouble_of(config(rogue.port)).code in ("greeting", "busy", "unreachable", "tls")
        assert rogue.heard(*MAIL_VERBS) == []


def test_nothing_listening_and_no_such_host_are_our_trouble() -> None:
    assert trouble_of(config(1)).code == "unreachable"
    nowhere = RelayConfig(uuid4(), "no-such-host.invalid", 25, "starttls")
    assert trouble_of(nowhere).code == "unreachable"


def test_pipelined_refusals_are_told_apart(tmp_path: Path) -> None:
    """With PIPELINING the answers to MAIL, RCPT and DATA come together; a refused recipient is only that."""
    context = authority().context("localhost", tmp_path)
    script = {**EAGER, "RCPT": "550 5.1.1 unknown", "DATA": "503 no recipients", "RSET": "250 ok"}
    with Rogue(script, context) as rogue:
        handover = smtp.deliver(config(rogue.port), [envelope()], seconds=10)
        assert (handover.results[0].fate, handover.results[0].code, handover.results[0].status) == (
            Fate.REJECTED, 550, "5.1.1",
        )  # fmt: skip
        assert handover.trouble is None


@pytest.mark.parametrize("host", ["a..b.example", "-", "x" * 70 + ".example"])
def test_a_host_that_is_none_is_our_trouble(host: str) -> None:
    relay = RelayConfig(uuid4(), host, 25, "starttls")
    assert trouble_of(relay).code == "unreachable"
    with pytest.raises(RelayTrouble):
        smtp.probe(relay)


def test_an_authority_that_is_none_is_our_trouble(tmp_path: Path) -> None:
    with Catcher(tmp_path) as server:
        relay = RelayConfig(uuid4(), "localhost", server.port, "starttls", ca_certificate="nothing")
        assert trouble_of(relay).code in ("tls", "certificate")


@pytest.mark.parametrize("in_body", [True, False])
def test_what_nobody_expected_loses_no_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_body: bool) -> None:
    """One of several connections fails in a way no code foresaw; what the others did still reaches the caller."""
    body = Connection._body

    async def surprised(self: Connection, data: bytes) -> Any:
        if b"surprise" in data:
            self.in_body = in_body
            raise ZeroDivisionError
        return await body(self, data)

    monkeypatch.setattr(Connection, "_body", surprised)
    with Catcher(tmp_path) as server:
        envelopes = [envelope(f"p{n}@example.com") for n in range(5)]
        envelopes.append(envelope(body=b"Subject: surprise\r\n\r\n"))
        handover = smtp.deliver(config(server.port), envelopes, seconds=10)
        assert handover.trouble is not None
        assert (handover.trouble.code, handover.trouble.detail) == ("failed", "ZeroDivisionError")
        fates = [result.fate for result in handover.results]
        assert fates[-1] == (Fate.UNKNOWN if in_body else Fate.UNSENT)
        assert fates.count(Fate.SENT) == len(server.messages)


def test_a_relay_that_falls_silent_at_a_recipient_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "GRACE_SECONDS", 0.2)
    with Catcher(tmp_path) as server:
        server.rcpt = lambda address, times: time.sleep(1)  # type: ignore[func-returns-value]
        began = time.monotonic()
        handover = smtp.deliver(config(server.port), [envelope()], seconds=0.3)
        assert time.monotonic() - began < 0.9
        assert handover.results[0].fate == Fate.DEFERRED
        assert handover.trouble is not None
        assert handover.trouble.code == "slow"


def test_a_relay_that_never_answers_a_message_stops_the_hand_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "END_OF_DATA_SECONDS", 0.2)
    with Catcher(tmp_path) as server:
        server.delay = 0.6
        handover = smtp.deliver(config(server.port), [envelope() for _ in range(30)], seconds=3)
        assert {result.fate for result in handover.results} == {Fate.UNKNOWN, Fate.UNSENT}
        assert handover.trouble is not None
        assert handover.trouble.code == "slow"
