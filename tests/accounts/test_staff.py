"""Joining, roles, leaving and recovery (SEC-03, SEC-04, IDN-04)."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django_otp_webauthn.models import WebAuthnCredential

from accounts import commands, errors, factors, queries
from accounts.models import FactorReset, OneTimeLink, RecoveryCodes, StaffChange, StaffSession, TotpDevice, User
from accounts.policy import Action, Role
from accounts.signals import staff_disabled
from audit.models import Entry
from core import clock
from core.actors import SYSTEM
from tests.accounts.factories import PASSWORD, UserFactory, api_token, sign_in

pytestmark = pytest.mark.django_db

SENTENCE = "a sentence nobody else would say"


@pytest.fixture
def admin() -> User:
    return UserFactory(roles=[Role.ADMINISTRATOR.value])


def join(path: str, password: str = SENTENCE) -> Client:
    client = Client()
    assert client.post(path, {"password": password}).status_code == 302
    return client


def test_an_invitation_lets_in_once_and_only_as_far_as_the_second_factor(admin: User) -> None:
    user, path = commands.invite(email="a@clinic.example", name="A", roles=["analyst"], reason="Starts", by=admin)
    client = join(path)
    assert client.get("/")["Location"].startswith(reverse("accounts:second_factor"))
    assert Client().post(path, {"password": SENTENCE}).status_code == 404
    assert not queries.has_factor(user)


@pytest.mark.parametrize(("kind", "hours"), [("invite", 72), ("password", 24)])
def test_links_grow_old(admin: User, kind: str, hours: int) -> None:
    if kind == "invite":
        _, path = commands.invite(email="a@clinic.example", name="A", roles=[], reason="x", by=admin)
    else:
        path = commands.issue_password_link(UserFactory(), reason="x", by=admin)
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(hours=hours, minutes=-1)):
        assert Client().get(path).status_code == 200
    with time_machine.travel(now + timedelta(hours=hours, minutes=1)):
        assert Client().post(path, {"password": SENTENCE}).status_code == 404


def test_a_newer_link_voids_the_older(admin: User) -> None:
    user = UserFactory()
    old, new = (commands.issue_password_link(user, reason="x", by=admin) for _ in range(2))
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200


def test_only_the_hash_of_a_link_is_kept(admin: User) -> None:
    path = commands.issue_password_link(UserFactory(), reason="x", by=admin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_onetimelink t")
        assert path.rsplit("/", 1)[-1] not in cursor.fetchone()[0]


def test_a_link_for_a_new_password_never_takes_the_second_factor_away(admin: User) -> None:
    user, before = UserFactory(), Client()
    sign_in(before, user)
    client = join(commands.issue_password_link(user, reason="Forgot it", by=admin))
    assert before.get("/").status_code == 302
    assert client.get("/").status_code == 302
    page = client.get(reverse("accounts:second_factor")).content.decode()
    assert "authenticator app" in page
    assert client.get(reverse("accounts:enrol"))["Location"].startswith(reverse("accounts:second_factor"))
    assert TotpDevice.objects.filter(user=user).count() == 1


def test_every_grant_and_its_end_are_on_record_with_who_and_why(admin: User) -> None:
    user, _ = commands.invite(
        email="a@clinic.example", name="A", roles=["marketer", "analyst"], reason="Joins the team", by=admin
    )
    commands.change_roles(user, roles=["analyst", "approver"], reason="Moves on", by=admin)
    rows = {(c.what, c.role, c.reason, c.by_id) for c in user.changes.all()}
    assert ("granted", "marketer", "Joins the team", admin.pk) in rows
    assert ("revoked", "marketer", "Moves on", admin.pk) in rows
    assert ("granted", "approver", "Moves on", admin.pk) in rows
    entry = Entry.objects.get(action="accounts.roles_changed")
    assert entry.details["granted"] == ["approver"]
    assert entry.details["revoked"] == ["marketer"]
    assert entry.actor_id == str(admin.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(row_to_json(t)::text, '') FROM accounts_staffchange t")
        assert "Moves on" not in cursor.fetchone()[0]


def test_a_change_of_roles_ends_sessions_and_holds_at_once(admin: User, client: Client) -> None:
    user = UserFactory(roles=[Role.MARKETER.value])
    sign_in(client, user)
    commands.change_roles(user, roles=["analyst"], reason="x", by=admin)
    assert client.get("/").status_code == 302
    user.refresh_from_db()
    assert not user.may(Action.CONTACTS_VIEW)


def test_a_grant_with_an_end_is_taken_back_by_itself(admin: User) -> None:
    now = datetime.now(UTC)
    user = UserFactory(roles=["analyst"])
    commands.change_roles(
        user, roles=["analyst", "marketer"], reason="Holiday cover", by=admin, until=now + timedelta(days=7)
    )
    assert commands.take_back_lapsed_roles() == 0
    with time_machine.travel(now + timedelta(days=7, seconds=1)):
        assert commands.take_back_lapsed_roles() == 1
        assert commands.take_back_lapsed_roles() == 0
    user.refresh_from_db()
    assert user.roles == ["analyst"]
    assert user.changes.filter(what="revoked", role="marketer", by=None).exists()


def test_a_grant_renewed_without_end_stays(admin: User) -> None:
    now = datetime.now(UTC)
    user = UserFactory(roles=[])
    commands.change_roles(user, roles=["marketer"], reason="Trial", by=admin, until=now + timedelta(days=7))
    commands.change_roles(user, roles=[], reason="Stop", by=admin)
    commands.change_roles(user, roles=["marketer"], reason="For good", by=admin)
    with time_machine.travel(now + timedelta(days=8)):
        assert commands.take_back_lapsed_roles() == 0


def test_nobody_changes_their_own_roles_or_disables_themselves(admin: User) -> None:
    UserFactory(roles=[Role.ADMINISTRATOR.value])
    with pytest.raises(errors.NotYourself):
        commands.change_roles(admin, roles=["administrator", "approver"], reason="x", by=admin)
    with pytest.raises(errors.NotYourself):
        commands.disable(admin, reason="x", by=admin)


def test_the_last_administrator_stays(admin: User) -> None:
    with pytest.raises(errors.LastAdministrator):
        commands.change_roles(admin, roles=["analyst"], reason="x", by=SYSTEM)
    with pytest.raises(errors.LastAdministrator):
        commands.disable(admin, reason="x", by=SYSTEM)
    UserFactory(roles=[Role.ADMINISTRATOR.value], is_active=False)
    with pytest.raises(errors.LastAdministrator):
        commands.disable(admin, reason="x", by=SYSTEM)


def test_disabling_ends_every_credential_at_once(admin: User, django_capture_on_commit_callbacks: object) -> None:
    user, browser = UserFactory(roles=[Role.MARKETER.value]), Client()
    sign_in(browser, user)
    half = Client()
    half.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    codes = factors.renew_recovery_codes(user, by=user)
    passkey(user)
    local = commands.issue_local_link(user)
    link = commands.issue_password_link(user, reason="x", by=admin)
    _, headers = api_token(["segments.view"], user)
    told: list[object] = []
    listen = lambda sender, user_id, **_: told.append(user_id)  # noqa: E731
    staff_disabled.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            commands.disable(user, reason="Left", by=admin)
    finally:
        staff_disabled.disconnect(listen)
    assert browser.get("/").status_code == 302
    assert half.get(reverse("accounts:second_factor"))["Location"].startswith(reverse("accounts:sign_in"))
    assert Client().get("/api/v1/segments", headers=headers).status_code == 401
    assert Client().post(local).status_code == 404
    assert Client().get(link).status_code == 404
    assert Client().post("/account/sign-in", {"email": user.email, "password": PASSWORD}).status_code == 200
    assert not queries.any_device(user)
    assert codes
    assert not StaffSession.objects.filter(user=user).exists()
    assert told == [user.pk]
    entry = Entry.objects.get(action="accounts.disabled")
    assert (entry.details["sessions"], entry.details["tokens"]) == (2, 1)


def test_what_a_disabled_person_had_scheduled_waits_for_somebody_else(
    admin: User, django_capture_on_commit_callbacks: Any
) -> None:
    from campaigns.commands import schedule
    from campaigns.models import Campaign
    from tests.campaigns.factories import approved, marketer

    theirs, others = (schedule(approved(), at=clock.now() + timedelta(days=1), by=marketer()) for _ in range(2))
    with django_capture_on_commit_callbacks(execute=True):
        commands.disable(User.objects.get(pk=theirs.submitted_by), reason="Left", by=admin)
    theirs.refresh_from_db()
    others.refresh_from_db()
    assert (theirs.state, others.state) == (Campaign.State.APPROVED, Campaign.State.SCHEDULED)


def passkey(user: User, credential: bytes = b"id") -> WebAuthnCredential:
    return WebAuthnCredential.objects.create(
        user=user, name="Key", credential_id=credential, public_key=b"key", aaguid="0" * 36
    )


def test_whoever_comes_back_starts_anew(admin: User) -> None:
    user = UserFactory(roles=[Role.MARKETER.value])
    commands.disable(user, reason="Leave", by=admin)
    user, path = commands.enable(user, reason="Back", by=admin)
    assert Client().post("/account/sign-in", {"email": user.email, "password": PASSWORD}).status_code == 200
    client = join(path)
    assert client.get("/", follow=True).redirect_chain[-1][0].startswith(reverse("accounts:enrol"))
    assert not user.tokens.filter(revoked_at=None).exists()


# Factors


def test_the_last_factor_cannot_be_removed(client: Client) -> None:
    user = UserFactory()
    device = sign_in(client, user)
    address = reverse("accounts:remove_factor", args=["totp", device.pk])
    assert "only second factor" in client.post(address).content.decode()
    passkey(user)
    assert client.post(address).status_code == 302
    assert [d.name for d in queries.factors_of(user)] == ["Key"]


def test_a_change_of_factors_ends_the_other_sessions() -> None:
    user, here, there = UserFactory(), Client(), Client()
    device = sign_in(here, user)
    sign_in(there, user)
    passkey(user)
    factors.remove_factor(user, device, keep=StaffSession.objects.get(session_key=here.session.session_key), by=user)
    assert StaffSession.objects.filter(user=user).count() == 1


def test_nobody_removes_a_strangers_factor(client: Client) -> None:
    other = UserFactory()
    device = TotpDevice.objects.create(user=other, name="App")
    TotpDevice.objects.create(user=other, name="App 2")
    sign_in(client, UserFactory())
    assert client.post(reverse("accounts:remove_factor", args=["totp", device.pk])).status_code == 404


def test_no_address_of_the_product_takes_factors_off_but_the_owners_own_and_a_reset() -> None:
    """IDN-04: nothing can disable MFA. Everything that deletes devices goes through two functions."""
    signs = re.compile(r"forget_factors|remove_factor\(|(TotpDevice|WebAuthnCredential)\b.*delete")
    root = Path(settings.BASE_DIR)
    rooms = [app.path for app in apps.get_app_configs() if Path(app.path).parent == root]
    files = [file for room in rooms for file in Path(room).rglob("*.py")]
    found = [str(file.relative_to(root)) for file in files if signs.search(file.read_text())]
    assert set(found) == {"accounts/commands.py", "accounts/factors.py", "accounts/views/profile.py"}


# Recovery by two people and time


def test_a_reset_takes_two_people_and_a_day_and_ends_in_a_new_start(admin: User) -> None:
    user, second = UserFactory(), UserFactory(roles=[Role.COMPLIANCE.value])
    TotpDevice.objects.create(user=user, name="Lost")
    now = datetime.now(UTC)
    reset = factors.request_reset(user, proof="In person, passport", by=admin)
    with pytest.raises(errors.NotYourself):
        factors.approve_reset(reset, by=admin)
    with pytest.raises(errors.ResetNotReady):
        factors.complete_reset(reset, by=admin)
    factors.approve_reset(reset, by=second)
    with pytest.raises(errors.ResetNotReady):
        factors.complete_reset(reset, by=admin)
    with time_machine.travel(now + timedelta(hours=24, minutes=1)):
        path = factors.complete_reset(reset, by=admin)
        assert not queries.any_device(user)
        assert Client().post("/account/sign-in", {"email": user.email, "password": PASSWORD}).status_code == 200
        assert join(path).get("/", follow=True).redirect_chain[-1][0].startswith(reverse("accounts:enrol"))
    steps = ["reset_requested", "reset_approved", "factors_reset"]
    assert [Entry.objects.filter(action=f"accounts.{step}").count() for step in steps] == [1, 1, 1]


def test_nobody_asks_for_or_approves_their_own_reset(admin: User) -> None:
    with pytest.raises(errors.NotYourself):
        factors.request_reset(admin, proof="x", by=admin)
    other = UserFactory()
    reset = factors.request_reset(admin, proof="x", by=other)
    with pytest.raises(errors.NotYourself):
        factors.approve_reset(reset, by=admin)


def test_the_database_too_wants_a_second_person(admin: User) -> None:
    reset = factors.request_reset(UserFactory(), proof="x", by=admin)
    with pytest.raises(IntegrityError), transaction.atomic():
        FactorReset.objects.filter(pk=reset.pk).update(approved_by=admin)
    with pytest.raises(IntegrityError), transaction.atomic():
        FactorReset.objects.filter(pk=reset.pk).update(completed_at=datetime.now(UTC))


def test_the_owner_sees_an_open_reset_and_can_stop_it(admin: User, client: Client) -> None:
    user = UserFactory()
    reset = factors.request_reset(user, proof="x", by=admin)
    sign_in(client, user)
    assert "reset of your second factors" in client.get(reverse("accounts:profile")).content.decode()
    client.post(reverse("accounts:cancel_own_reset"))
    reset.refresh_from_db()
    assert reset.cancelled_at
    with pytest.raises(errors.ResetNotReady):
        factors.approve_reset(reset, by=UserFactory())


def test_one_reset_at_a_time(admin: User) -> None:
    user = UserFactory()
    factors.request_reset(user, proof="x", by=admin)
    with pytest.raises(errors.ResetOpen):
        factors.request_reset(user, proof="x", by=admin)


# Through the pages


def test_an_administrator_does_it_all_in_the_browser(client: Client, admin: User) -> None:
    sign_in(client, admin)
    data = {"name": "Nina Berg", "email": "nina@clinic.example", "roles": ["marketer"], "reason": "Starts Monday"}
    page = client.post(reverse("accounts:invite"), data).content.decode()
    path = re.search(r"/account/join/[\w-]+", page)
    assert path
    join(path[0])
    nina = User.objects.get(email="nina@clinic.example")
    assert "Nina Berg" in client.get(reverse("accounts:staff")).content.decode()
    data = {"roles": ["marketer", "analyst"], "reason": "Helps out", "until": "2099-01-01T00:00"}
    assert client.post(reverse("accounts:roles", args=[nina.pk]), data).status_code == 302
    page = client.get(reverse("accounts:person", args=[nina.pk])).content.decode()
    assert "Helps out" in page
    assert "Starts Monday" in page
    assert client.post(reverse("accounts:disable", args=[nina.pk]), {"reason": "Left"}).status_code == 302
    page = client.post(reverse("accounts:enable", args=[nina.pk]), {"reason": "Back"}).content.decode()
    assert "/account/join/" in page
    page = client.post(reverse("accounts:password_link", args=[nina.pk]), {"reason": "x"}).content.decode()
    assert "/account/join/" in page
    assert client.post(reverse("accounts:request_reset", args=[nina.pk]), {"proof": "Seen"}).status_code == 302
    reset = queries.open_reset_of(nina)
    assert reset
    second = Client()
    sign_in(second, UserFactory(roles=[Role.COMPLIANCE.value]))
    assert "Seen" in second.get(reverse("accounts:resets")).content.decode()
    second.post(reverse("accounts:approve_reset", args=[reset.pk]))
    client.post(reverse("accounts:complete_reset", args=[reset.pk]))
    reset.refresh_from_db()
    assert reset.approved_by_id
    assert reset.completed_at is None
    assert "24 hours" in client.get(reverse("accounts:person", args=[nina.pk])).content.decode()


def test_a_token_is_shown_once_and_its_owner_can_revoke_it(client: Client) -> None:
    user = UserFactory(roles=[Role.MARKETER.value])
    sign_in(client, user)
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    data = {"name": "EHR sync", "scopes": ["contacts.edit"], "expires_on": day}
    page = client.post(reverse("accounts:token_new"), data).content.decode()
    secret = re.search(r"crl_[\w-]{43}", page)
    assert secret
    assert secret[0] not in client.get(reverse("accounts:tokens")).content.decode()
    token = user.tokens.get()
    client.post(reverse("accounts:token_revoke", args=[token.pk]))
    token.refresh_from_db()
    assert not token.is_active


def test_tokens_of_others_are_an_administrators_to_see_and_nobodys_else(admin: User) -> None:
    token, _ = api_token(["contacts.edit"], UserFactory(roles=[Role.MARKETER.value]))
    other, boss = Client(), Client()
    sign_in(other, UserFactory(roles=[Role.MARKETER.value]))
    sign_in(boss, admin)
    assert other.post(reverse("accounts:token_revoke", args=[token.pk])).status_code == 404
    assert boss.post(reverse("accounts:token_revoke", args=[token.pk])).status_code == 302


def test_a_token_form_offers_no_more_than_the_owner_may(client: Client) -> None:
    sign_in(client, UserFactory(roles=[Role.APPROVER.value]))
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    data = {"name": "x", "scopes": ["contacts.edit"], "expires_on": day}
    assert client.post(reverse("accounts:token_new"), data).status_code == 200
    assert not RecoveryCodes.objects.exists()
    assert not StaffChange.objects.exists()
    assert not OneTimeLink.objects.exists()


def test_the_person_behind_a_token_is_its_owner() -> None:
    token, _ = api_token(["contacts.view"])
    assert queries.person_of(token) == token.owner_id
    assert queries.person_of(token.owner) == token.owner_id
    assert queries.person_of(SYSTEM) is None


def test_a_user_without_an_address_cannot_exist() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="", name="Shared")
    UserFactory(email="one@clinic.example")
    for again in ("one@clinic.example", "One@Clinic.example"):
        with pytest.raises(IntegrityError), transaction.atomic():
            UserFactory(email=again)
