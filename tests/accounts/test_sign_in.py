"""Coming in: password, second factor, recovery code, one-time links (IDN-01, IDN-02, IDN-06, SEC-18)."""

import hashlib
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp_webauthn.models import WebAuthnCredential

from accounts import commands
from accounts.errors import LinkNotValid, NotOnThisRun
from accounts.factors import renew_recovery_codes
from accounts.models import LocalPass, StaffSession, TotpDevice, User
from accounts.passwords import Breached
from accounts.policy import Role
from accounts.requests import has_needed_factor
from accounts.sessions import kind_of
from audit.models import Entry
from core.actors import SYSTEM
from tests.accounts.factories import PASSWORD, UserFactory, sign_in

pytestmark = pytest.mark.django_db

SIGN_IN = "/account/sign-in"


def code_of(device: TotpDevice, steps: int = 0) -> str:
    """What the app shows now, or some steps later."""
    totp = TOTP(bytes.fromhex(device.secret))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def give_password(client: Client, user: User, password: str = PASSWORD) -> int:
    return client.post(SIGN_IN, {"email": user.email, "password": password}).status_code


def test_a_stranger_is_sent_to_sign_in_and_back(client: Client) -> None:
    answer = client.get("/people/?page=2")
    assert answer.status_code == 302
    assert answer["Location"] == f"{reverse('accounts:sign_in')}?next=/people/%3Fpage%3D2"


def test_password_then_code_opens_home(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    assert give_password(client, user) == 302
    assert client.get("/").status_code == 302
    answer = client.post(reverse("accounts:second_factor"), {"code": code_of(device), "next": "/account/profile"})
    assert answer["Location"] == "/account/profile"
    assert client.get("/").status_code == 200
    assert StaffSession.objects.get().factor == "totp"
    assert Entry.objects.filter(action="accounts.signed_in", actor_id=str(user.pk)).exists()


def test_the_session_key_changes_with_each_factor(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    give_password(client, user)
    before = client.session.session_key
    client.post(reverse("accounts:second_factor"), {"code": code_of(device)})
    assert client.session.session_key != before


def test_the_email_address_may_be_typed_in_any_case(client: Client) -> None:
    user = UserFactory(email="someone@clinic.example")
    assert client.post(SIGN_IN, {"email": "SomeOne@Clinic.example", "password": PASSWORD}).status_code == 302
    assert User.objects.get(last_login__isnull=False) == user


def test_an_open_redirect_is_not_followed(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    give_password(client, user)
    data = {"code": code_of(device), "next": "https://evil.example/"}
    assert client.post(reverse("accounts:second_factor"), data)["Location"] == "/"


def test_a_code_works_once(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    code = code_of(device)
    give_password(client, user)
    assert client.post(reverse("accounts:second_factor"), {"code": code}).status_code == 302
    thief = Client()
    give_password(thief, user)
    assert thief.post(reverse("accounts:second_factor"), {"code": code}).status_code == 200
    assert thief.get("/").status_code == 302


def test_wrong_codes_slow_the_right_one_down(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    give_password(client, user)
    for _ in range(3):
        client.post(reverse("accounts:second_factor"), {"code": "000000"})
    assert client.post(reverse("accounts:second_factor"), {"code": code_of(device)}).status_code == 200
    device.refresh_from_db()
    assert device.throttling_failure_count >= 1
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)):
        assert client.post(reverse("accounts:second_factor"), {"code": code_of(device)}).status_code == 302


def test_enrolment_is_forced_and_gives_recovery_codes(client: Client) -> None:
    user = UserFactory()
    give_password(client, user)
    assert client.get(reverse("accounts:second_factor"))["Location"].startswith(reverse("accounts:enrol"))
    assert client.get("/").status_code == 302
    page = client.get(reverse("accounts:enrol")).content.decode()
    device = TotpDevice.objects.get(user=user, confirmed=False)
    assert device.readable_secret in page
    answer = client.post(reverse("accounts:enrol"), {"code": code_of(device)})
    assert answer["Location"] == reverse("accounts:recovery_codes")
    assert client.get("/").status_code == 200
    shown = client.post(reverse("accounts:recovery_codes")).content.decode()
    codes = re.findall(r"<code>([A-Z2-9-]{19})</code>", shown)
    assert len(codes) == 10
    assert codes[0] not in client.get(reverse("accounts:recovery_codes")).content.decode()


def test_an_unconfirmed_app_is_no_second_factor(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App", confirmed=False)
    give_password(client, user)
    client.post(reverse("accounts:second_factor"), {"code": code_of(device)})
    assert client.get("/").status_code == 302


def test_a_recovery_code_opens_once_and_is_hashed(client: Client) -> None:
    user = UserFactory()
    TotpDevice.objects.create(user=user, name="App")
    code = renew_recovery_codes(user, by=user)[3]
    for expected in (302, 200):
        browser = Client()
        give_password(browser, user)
        data = {"kind": "recovery", "code": code.lower().replace("-", " ")}
        assert browser.post(reverse("accounts:second_factor"), data).status_code == expected


def test_secrets_of_factors_lie_encrypted_or_hashed_in_the_database() -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    codes = renew_recovery_codes(user, by=user)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_totpdevice t")
        (stored,) = cursor.fetchone()
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_recoverycodes t")
        (kept,) = cursor.fetchone()
        cursor.execute("SELECT password FROM accounts_user WHERE id = %s", [user.pk])
        (password,) = cursor.fetchone()
    assert device.secret not in stored
    assert codes[0] not in kept
    assert codes[0].replace("-", "") not in kept
    assert password.startswith("argon2$argon2id$")


PASSWORDS = [
    ("correct horse battery staple", True),
    ("short but 14 ch", True),
    ("fourteen chars", False),
    ("a" * 15, False),
    ("123456789012345", False),
    ("passwordpassword", False),
    ("Password12345678", False),
    ("qwertyuiopasdfgh", False),
    ("carilloncarillon", False),
    ("person@clinic.example", False),
    ("ein sehr langer Satz über Öl und Straßen", True),
    ("密码是一个很长的句子并且容易记住它吧", True),
    ("🐎🔋📎 and a stapled horse", True),
    ("x1" * 64 + " a long one of more than sixty-four", True),
    ("y" + "quite long " * 90, True),
    ("quite long " * 100, False),
]


@pytest.mark.parametrize(("password", "good"), PASSWORDS)
def test_passwords_are_judged_by_length_and_by_lists_only(password: str, good: bool) -> None:
    user = UserFactory(email="person@clinic.example", name="Maria Sanchez")
    path = commands.issue_password_link(user, reason="Forgot", by=SYSTEM)
    answer = Client().post(path, {"password": password})
    assert (answer.status_code == 302) is good
    if good:
        user.refresh_from_db()
        assert user.check_password(password)


def test_a_password_is_the_same_however_its_letters_are_composed(client: Client) -> None:
    user = UserFactory()
    user.set_password("Zu\u0308rich liegt am Wasser")
    user.save()
    assert give_password(client, user, "Z\u00fcrich liegt am Wasser") == 302


def test_spaces_at_the_ends_belong_to_the_password(client: Client) -> None:
    user = UserFactory()
    user.set_password(f"  {PASSWORD}  ")
    user.save()
    assert give_password(client, user, f"  {PASSWORD}  ") == 302
    assert give_password(Client(), user) == 200


def plain(answer: object) -> str:
    """A page without what differs in every answer."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"|data-csrf="[^"]*"', "", answer.content.decode())  # type: ignore[attr-defined]
    return re.sub(r'value="[^"]*@[^"]*"|hx-headers=\'[^\']*\'', "", text)


def test_wrong_password_unknown_disabled_and_locked_accounts_look_the_same() -> None:
    known, disabled, locked = UserFactory(), UserFactory(is_active=False), UserFactory()
    pages = []
    for n, email in enumerate([known.email, disabled.email, "nobody@clinic.example", locked.email]):
        client = Client(REMOTE_ADDR=f"198.51.{n}.1")
        if email == locked.email:
            for _ in range(10):
                client.post(SIGN_IN, {"email": email, "password": "wrong wrong wrong"})
        answer = client.post(SIGN_IN, {"email": email, "password": "wrong wrong wrong"})
        pages.append((answer.status_code, plain(answer)))
    assert len(set(pages)) == 1


def test_ten_wrong_passwords_lock_the_account_for_fifteen_minutes() -> None:
    user = UserFactory()
    for n in range(10):
        Client(REMOTE_ADDR=f"198.51.{n}.1").post(SIGN_IN, {"email": user.email, "password": "wrong"})
    assert give_password(Client(REMOTE_ADDR="192.0.2.1"), user) == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=16)):
        assert give_password(Client(REMOTE_ADDR="192.0.2.1"), user) == 302


def test_ten_wrong_passwords_lock_the_address() -> None:
    for n in range(10):
        Client(REMOTE_ADDR="198.51.7.1").post(SIGN_IN, {"email": f"n{n % 2}@clinic.example", "password": "wrong"})
    user = UserFactory()
    assert give_password(Client(REMOTE_ADDR="198.51.7.1"), user) == 200
    assert give_password(Client(REMOTE_ADDR="198.51.8.1"), user) == 302


def test_many_accounts_from_one_network_are_a_spray_though_each_address_stays_quiet() -> None:
    for n in range(10):
        Client(REMOTE_ADDR=f"198.51.7.{n + 1}").post(SIGN_IN, {"email": f"n{n}@clinic.example", "password": "Spring"})
    user = UserFactory()
    assert give_password(Client(REMOTE_ADDR="198.51.7.200"), user) == 200
    assert give_password(Client(REMOTE_ADDR="203.0.113.1"), user) == 302
    assert Entry.objects.filter(action="accounts.sign_in_refused", details__spray=True).exists()


def test_the_owner_is_told_of_wrong_passwords(client: Client) -> None:
    user = UserFactory()
    device = TotpDevice.objects.create(user=user, name="App")
    for _ in range(3):
        Client(REMOTE_ADDR="203.0.113.9").post(SIGN_IN, {"email": user.email, "password": "wrong"})
    give_password(client, user)
    client.post(reverse("accounts:second_factor"), {"code": code_of(device)})
    assert "3 times" in client.get("/").content.decode()


def test_a_refused_sign_in_is_on_the_trail_without_what_was_typed() -> None:
    Client(REMOTE_ADDR="203.0.113.9").post(SIGN_IN, {"email": "typo@clinic.example", "password": "hunter2hunter2"})
    entry = Entry.objects.get(action="accounts.sign_in_refused")
    assert entry.source == "203.0.113.0/24"
    assert "typo" not in str(entry.details)


def test_a_local_link_signs_in_once_and_opening_it_changes_nothing(client: Client) -> None:
    path = commands.issue_local_link(UserFactory())
    assert client.get(path).status_code == 200
    assert client.get(path).status_code == 200
    assert client.post(path)["Location"] == "/"
    assert client.get("/").status_code == 200
    assert Client().post(path).status_code == 404


def test_a_local_link_is_for_one_run_and_twelve_hours(client: Client, settings: object) -> None:
    user = UserFactory()
    old = commands.issue_local_link(user)
    client.post(old)
    new = commands.issue_local_link(user)
    assert client.get("/").status_code == 302
    assert client.get(old).status_code == 404
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=13)):
        assert client.get(new).status_code == 404
    client.post(new)
    settings.LOCAL_RUN = False  # type: ignore[attr-defined]
    assert client.get("/").status_code == 302
    with pytest.raises(NotOnThisRun):
        commands.issue_local_link(user)
    pass_ = LocalPass.objects.get()
    pass_.used_at = None
    pass_.save()
    with pytest.raises(LinkNotValid):
        commands.open_local_link(new.rsplit("/", 1)[-1])


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.MARKETER, Role.APPROVER, Role.COMPLIANCE])
def test_where_passkeys_are_demanded_an_authenticator_app_opens_nothing(
    client: Client, settings: object, role: Role
) -> None:
    settings.PASSKEY_ROLES = frozenset({"administrator", "marketer", "approver", "compliance"})  # type: ignore[attr-defined]
    sign_in(client, UserFactory(roles=[role.value]))
    assert client.get("/")["Location"].startswith(reverse("accounts:enrol"))
    page = client.get(reverse("accounts:enrol")).content.decode()
    assert "Make a passkey" in page
    assert "authenticator app" not in page.lower()
    analyst = Client()
    sign_in(analyst, UserFactory(roles=[Role.ANALYST.value]))
    assert analyst.get("/").status_code == 200


def test_the_first_administrator_comes_from_the_command_line(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import call_command

    call_command("create_admin", "first@clinic.example", "First Admin")
    path = re.search(r"/account/join/\S+", capsys.readouterr().out)
    assert path
    assert client.post(path[0], {"password": "a long enough sentence"}).status_code == 302
    assert client.get("/", follow=True).redirect_chain[-1][0].startswith(reverse("accounts:enrol"))
    assert Client().post(path[0], {"password": "another long sentence"}).status_code == 404


@pytest.mark.parametrize("count", [1, 2, 3, 50, 501])
def test_every_password_of_a_file_of_breaches_is_found_and_no_other(tmp_path: Path, settings: Any, count: int) -> None:
    words = [f"a breached sentence no. {n}" for n in range(count)]
    lines = sorted(hashlib.sha1(word.encode()).hexdigest().upper() + f":{n}" for n, word in enumerate(words))
    file = tmp_path / "breached.txt"
    file.write_text("\n".join(lines) + ("\n" if count % 2 else ""))
    settings.BREACHED_PASSWORDS = str(file)
    for word in words:
        with pytest.raises(ValidationError):
            Breached().validate(word)
    for n in range(50):
        Breached().validate(f"a fresh sentence no. {n}")


def test_an_unknown_account_costs_as_much_time_as_a_known_one() -> None:
    def seconds(email: str) -> float:
        client, taken = Client(), []
        for _ in range(3):
            start = time.process_time()
            client.post(SIGN_IN, {"email": email, "password": "wrong wrong wrong"})
            taken.append(time.process_time() - start)
        return sorted(taken)[1]

    known, unknown = seconds(UserFactory().email), seconds("nobody@clinic.example")
    disabled = seconds(UserFactory(is_active=False, password="!unusable").email)
    assert 0.4 < unknown / known < 2.5
    assert 0.4 < disabled / known < 2.5


def test_whoever_owns_a_passkey_is_asked_for_it_and_a_recovery_code_leads_to_a_new_one(
    client: Client, settings: Any
) -> None:
    settings.PASSKEY_ROLES = frozenset({"administrator"})
    user = UserFactory()
    sign_in(client, user)
    WebAuthnCredential.objects.create(user=user, name="K", credential_id=b"k", public_key=b"k", aaguid="0" * 36)
    assert client.get("/")["Location"].startswith(reverse("accounts:second_factor"))
    page = client.get(reverse("accounts:second_factor")).content.decode()
    assert "Use your passkey" in page
    assert "six digits" not in page
    code = renew_recovery_codes(user, by=user)[0]
    client.post(reverse("accounts:second_factor"), {"kind": "recovery", "code": code})
    assert client.get("/")["Location"].startswith(reverse("accounts:enrol"))
    assert "Make a passkey" in client.get(reverse("accounts:enrol")).content.decode()


@pytest.mark.parametrize(
    ("device", "strong"),
    [
        (WebAuthnCredential(), True),
        (LocalPass(), True),
        (TotpDevice(), False),
        (SimpleNamespace(), False),
        (None, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_the_classes_we_know_to_resist_phishing_count_as_doing_so(
    device: Any, strong: bool, settings: Any
) -> None:
    settings.PASSKEY_ROLES = frozenset({"administrator"})
    user: Any = UserFactory.build()
    user.otp_device = device
    assert has_needed_factor(user) is strong
    assert (kind_of(device) == "passkey") is isinstance(device, WebAuthnCredential)


def test_validators_run_without_a_person() -> None:
    with pytest.raises(ValidationError):
        validate_password("short")
