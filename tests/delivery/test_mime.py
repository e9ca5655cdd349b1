"""The bytes: one recipient, safe headers, both signatures, and nothing in a header that says what the mail is about."""

import email
import email.policy
import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from types import SimpleNamespace
from uuid import UUID, uuid4

import dkim
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery.dkim import OVERSIGNED, Key, Signer, dns_record
from delivery.ids import delivery_id
from delivery.mime import Addressee, Body, SenderFacts, UnsafeAddress, WrongRecipient, build, envelope_address
from tests.delivery.factories import keys

AT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
WHO = uuid4()
SENDER = SenderFacts("Elm Street Clinic", "news@clinic.example", "clinic.example", "help@clinic.example")
URL = "https://mail.clinic.example/m/u/AQtoken"
ALLOWED = {
    "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id",
    "MIME-Version", "Content-Type",
}  # fmt: skip


def make(
    subject: str = "Hello",
    text: str = "plain\n",
    html: str = "<p>rich</p>",
    *,
    sender: SenderFacts = SENDER,
    to: str = "ann@example.com",
    body_of: UUID = WHO,
) -> bytes:
    return build(
        delivery_id=uuid4(),
        sender=sender,
        to=Addressee(WHO, to),
        body=Body(body_of, subject, html, text),
        unsubscribe_url=URL,
        at=AT,
    )


def parse(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_message_is_what_the_standards_say() -> None:
    message = parse(make("Grüße aus der Klinik – " * 8, "Zeile eins\nZeile zwei € \n", "<p>Zoë 日本</p>\n"))
    assert set(message.keys()) == ALLOWED
    assert message["To"] == "ann@example.com"
    assert message["From"].addresses[0].display_name == "Elm Street Clinic"
    assert message["Subject"] == ("Grüße aus der Klinik – " * 8).strip()
    assert message["Date"].datetime == AT.replace(microsecond=0)
    assert message["List-Unsubscribe"] == f"<{URL}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "<mail.clinic.example>"
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_content().splitlines() == ["Zeile eins", "Zeile zwei € "]
    assert rich.get_content().strip() == "<p>Zoë 日本</p>"
    assert message.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize(
    "name", ['Dr. "Q" \\ Smith', "Praxis für Ärzte", "عيادة", "x" * 80, "", "a\r\nBcc: b@c.example"]
)
def test_display_names_of_every_kind_stay_names(name: str) -> None:
    message = parse(make(sender=SenderFacts(name, "news@clinic.example", "clinic.example")))
    assert [address.addr_spec for address in message["From"].addresses] == ["news@clinic.example"]
    assert message["From"].addresses[0].display_name == " ".join(name.split())
    assert message["Bcc"] is None


def test_an_international_domain_is_written_in_ascii() -> None:
    assert envelope_address("ann@bücher.example") == "ann@xn--bcher-kva.example"


UNSAFE = [
    "ann", "änn@example.com", "a b@example.com", "a@b.example\r\nBcc: x@y.example", "<a@b.example>", "a,b@c.example",
    "@example.com", "a@" + "b" * 64 + ".example", "a" * 250 + "@b.example",
]  # fmt: skip


@pytest.mark.parametrize("bad", UNSAFE)
def test_an_unsafe_address_makes_no_message(bad: str) -> None:
    with pytest.raises(UnsafeAddress):
        make(to=bad)


INJECTIONS = [
    "Hi\r\nBcc: evil@example.com", "Hi\nBcc: evil@example.com", "Hi\rBcc: evil@example.com", "Hi\r\n\r\n<script>",
    "Hi\u2028Bcc: evil@example.com", "Hi\x85Bcc: evil@example.com", "Hi\x0bBcc: x", "Hi\x00Bcc: x",
    "=?utf-8?Q?Hi=0D=0ABcc:_x?=", "Hi\r\n Bcc: x", "\r\nBcc: evil@example.com",
]  # fmt: skip


@pytest.mark.parametrize("subject", INJECTIONS)
def test_a_subject_cannot_add_a_header(subject: str) -> None:
    message = parse(make(subject))
    assert set(message.keys()) == ALLOWED
    assert "\n" not in str(message["Subject"])


@given(st.text(max_size=300), st.text(max_size=120))
@settings(deadline=None)
def test_no_text_at_all_can_add_a_header_or_a_recipient(subject: str, name: str) -> None:
    raw = make(subject, sender=SenderFacts(name, "news@clinic.example", "clinic.example"))
    head, _, _ = raw.partition(b"\r\n\r\n")
    assert all(len(line) <= 998 and b"\r" not in line and b"\n" not in line for line in head.split(b"\r\n"))
    assert head.isascii()
    message = parse(raw)
    assert set(message.keys()) == ALLOWED - {"Reply-To"}
    assert len(message["To"].addresses) == 1


@given(st.text(max_size=2000))
@settings(deadline=None)
def test_every_text_arrives_as_it_was_written(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    raw = make(text=text, html=text)
    body = raw.partition(b"\r\n\r\n")[2]
    assert all(len(line) <= 78 for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"\r" not in body.replace(b"\r\n", b"")
    part = parse(raw).get_body(("plain",))
    assert part is not None
    got = part.get_payload(decode=True)
    assert isinstance(got, bytes)
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    assert got.decode().replace("\r\n", "\n").rstrip("\n") == wanted


def test_content_of_another_contact_makes_no_message() -> None:
    with pytest.raises(WrongRecipient):
        make(body_of=uuid4())


def test_headers_hold_no_word_of_the_content() -> None:
    raw = make("Neutral", "your oncology visit", "<p>your oncology visit at campaign Spring</p>")
    head = raw.partition(b"\r\n\r\n")[0].lower()
    assert not re.search(rb"oncology|campaign|spring|visit", head)


# -- signatures ------------------------------------------------------------------------------------------------------


class _VerifyKey:
    """What dkimpy asks of PyNaCl, on the library we have anyway; canonical forms and hashes stay dkimpy's own."""

    def __init__(self, raw: bytes, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(b64decode(raw))

    def verify(self, digest: bytes, signature: bytes) -> bytes:
        self._key.verify(signature, digest)
        return digest


@pytest.fixture(autouse=True, scope="module")
def _ed25519_for_dkimpy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        nacl = SimpleNamespace(
            signing=SimpleNamespace(VerifyKey=_VerifyKey),
            encoding=SimpleNamespace(Base64Encoder=None),
            exceptions=SimpleNamespace(BadSignatureError=InvalidSignature, ValueError=ValueError),
        )
        patch.setattr(dkim, "nacl", nacl, raising=False)
        yield


def signer() -> Signer:
    rsa, ed25519 = keys()
    return Signer("clinic.example", [Key("r1", rsa), Key("e1", ed25519)])


def dns(name: bytes, timeout: int = 5) -> bytes:
    rsa, ed25519 = keys()
    records = {b"r1._domainkey.clinic.example.": dns_record(rsa), b"e1._domainkey.clinic.example.": dns_record(ed25519)}
    return records[name].encode()


def verifies(raw: bytes) -> list[bool]:
    def one(number: int) -> bool:
        try:
            return bool(dkim.DKIM(raw, minkey=2048).verify(idx=number, dnsfunc=dns))
        except dkim.ValidationError:
            return False

    return [one(0), one(1)]


def test_an_independent_library_verifies_both_signatures_over_the_headers_twice() -> None:
    raw = make("Grüße – " * 20, "double  spaces \t here \n\n\n", "<p>  x \t</p>\n\n")
    signed = signer().sign(raw, AT) + raw
    assert verifies(signed) == [True, True]
    message = parse(signed)
    tags = [
        dict(part.strip().split("=", 1) for part in str(v).split(";")) for v in message.get_all("DKIM-Signature", [])
    ]
    assert {tag["a"] for tag in tags} == {"rsa-sha256", "ed25519-sha256"}
    for tag in tags:
        assert "l" not in tag
        names = tag["h"].replace(" ", "").split(":")
        assert all(names.count(name) == 2 for name in OVERSIGNED)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw + b"more",
        lambda raw: raw.replace(b"rich", b"poor"),
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: Hullo"),
        lambda raw: b"Subject: another\r\n" + raw,
        lambda raw: b"From: evil@example.com\r\n" + raw,
        lambda raw: b"List-Unsubscribe: <https://evil.example>\r\n" + raw,
        lambda raw: b"To: else@example.com\r\n" + raw,
    ],
)
def test_whoever_changes_or_adds_something_breaks_the_signatures(change: object) -> None:
    raw = make()
    signed = signer().sign(raw, AT) + raw
    assert callable(change)
    assert verifies(change(signed)) == [False, False]


@given(st.text(max_size=500), st.text(max_size=500))
@settings(deadline=None, max_examples=25)
def test_whatever_is_written_the_signatures_verify(subject: str, text: str) -> None:
    raw = make(subject, text, text)
    assert verifies(signer().sign(raw, AT) + raw) == [True, True]


# -- ids -------------------------------------------------------------------------------------------------------------


def test_the_id_of_a_delivery_follows_from_what_it_is_about_and_says_nothing() -> None:
    origin, contact = uuid4(), uuid4()
    first = delivery_id(origin, contact)
    assert first == delivery_id(origin, contact)
    assert first.version == 8
    others = {delivery_id(origin, contact, "2"), delivery_id(origin, uuid4()), delivery_id(uuid4(), contact)}
    assert len(others | {first}) == 4
    assert not set(re.findall("....", first.hex)) & set(re.findall("....", contact.hex))
