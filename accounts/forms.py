"""What people type into the account pages."""

from typing import Any
from unicodedata import normalize
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import authenticate, password_validation
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.models import User
from accounts.policy import POLICY, Action, Role
from accounts.throttling import is_spray
from core import clock

LONGEST_PASSWORD = 1024


class PasswordField(forms.CharField):
    """Any Unicode, spaces too, pasted or typed, up to 1,024 characters; compared in NFC (IDN-01)."""

    def __init__(self, *, new: bool = False, **kwargs: Any) -> None:
        complete = "new-password" if new else "current-password"
        kwargs.setdefault("widget", forms.PasswordInput(attrs={"autocomplete": complete}))
        super().__init__(strip=False, max_length=LONGEST_PASSWORD, **kwargs)

    def to_python(self, value: Any) -> Any:
        return normalize("NFC", super().to_python(value) or "")


class SignInForm(forms.Form):
    """Email and password. Every failure looks the same (IDN-06)."""

    REFUSED = (
        "That did not work. Check your email address and password. "
        "After ten wrong tries, wait 15 minutes or ask an administrator for a new link."
    )

    email = forms.EmailField(
        label="Email", widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = PasswordField(label="Password")

    def __init__(self, *args: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.user: User | None = None
        #: The account a password was tried for, and whether its network was spraying.
        self.tried, self.spray = "", False

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.request is None or self.errors:
            return data
        self.tried, self.spray = data["email"].lower(), is_spray(self.request)
        user = authenticate(self.request, username=self.tried, password=data["password"])
        if user is None or self.spray:
            raise ValidationError(self.REFUSED)
        assert isinstance(user, User)
        self.user = user
        return data


class CodeForm(forms.Form):
    """A code from an authenticator app, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class ConfirmAppForm(forms.Form):
    """The first code of an app: after the picture, so the page does not jump to it."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class RecoveryCodeForm(forms.Form):
    code = forms.CharField(
        label="Recovery code", max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )


class NewPasswordForm(forms.Form):
    """A new password, once: it can be seen while typing, so it need not be typed twice."""

    password = PasswordField(
        new=True,
        label="New password",
        help_text="At least 15 characters. A sentence you can remember is good; spaces and any letters are fine.",
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password, self.user)
        return password


class ChangePasswordForm(NewPasswordForm):
    current = PasswordField(label="Current password")
    field_order = ["current", "password"]


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["name", "time_zone"]
        labels = {"time_zone": "Time zone"}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
        choices = [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in zones)]
        self.fields["time_zone"] = forms.ChoiceField(label="Time zone", choices=choices)


class ReasonForm(forms.Form):
    """Every grant and every shutting-out says why (SEC-04); the text is kept encrypted."""

    reason = forms.CharField(label="Reason", max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class RolesForm(ReasonForm):
    roles = forms.MultipleChoiceField(
        label="Roles", choices=Role.choices, widget=forms.CheckboxSelectMultiple, required=False
    )
    until = forms.DateTimeField(
        label="Until",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Newly granted roles are taken back then by themselves. Leave empty for no end. UTC.",
    )
    field_order = ["roles", "until", "reason"]

    def clean_until(self) -> Any:
        until = self.cleaned_data["until"]
        if until and until <= clock.now():
            raise ValidationError("This moment has passed. Choose a later one, or leave it empty.")
        return until


class InviteForm(RolesForm):
    email = forms.EmailField(label="Email")
    name = forms.CharField(label="Name", max_length=120)
    field_order = ["name", "email", "roles", "until", "reason"]


class ProofForm(forms.Form):
    proof = forms.CharField(
        label="How was their identity checked?",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For example: in person, with a photo ID. A phone call or a mail is not enough.",
    )


class TokenForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=80, help_text="Which system will use it, such as “EHR nightly sync”."
    )
    scopes = forms.MultipleChoiceField(label="It may", widget=forms.CheckboxSelectMultiple)
    expires_on = forms.DateField(
        label="Expires on", widget=forms.DateInput(attrs={"type": "date"}), help_text="At most a year from now."
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(action.value, action.label) for action in POLICY if owner.may(action) and grantable(action)]

    def clean_expires_on(self) -> Any:
        day = self.cleaned_data["expires_on"]
        ahead = (day - clock.now().date()).days
        if not 1 <= ahead <= 366:
            raise ValidationError("Choose a day between tomorrow and a year from now.")
        return day


def grantable(action: Action) -> bool:
    """Machines neither manage people nor make other machines."""
    return action not in (Action.STAFF_MANAGE, Action.STAFF_RECOVER, Action.TOKENS_OWN, Action.TOKENS_MANAGE)
