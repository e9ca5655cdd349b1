"""What an administrator says of relays, domains and senders."""

import re
import ssl
from ipaddress import ip_address
from typing import Any

from django import forms

from delivery.models import Relay, SendingDomain

DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
_DOMAIN = re.compile(r"(?=.{4,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+[a-z0-9-]{2,63}\Z")
_HOST = re.compile(r"(?=.{1,253}\Z)(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*\Z")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class AgreementForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """Of a server that belongs to somebody else: the agreement under which values may go there (SEC-09)."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        signed, ends = data.get("baa_signed_on"), data.get("baa_expires_on")
        if signed and ends and ends <= signed:
            self.add_error("baa_expires_on", "The agreement has to end after it was signed.")
        if data.get("baa_party") and not signed:
            self.add_error("baa_signed_on", "Say when the agreement was signed.")
        return data


class RelayForm(AgreementForm):
    """A relay, the agreement with its provider, and how it is reached."""

    password = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown. Leave empty to keep the one there is.",
    )
    port = forms.IntegerField(min_value=1, max_value=65535, initial=587)
    connections = forms.IntegerField(min_value=1, max_value=100, initial=10, help_text="At the same time, at most.")

    class Meta:
        model = Relay
        fields = (
            "name",
            "stream",
            "host",
            "port",
            "security",
            "username",
            "password",
            "connections",
            "ca_certificate",
            "baa_party",
            "baa_signed_on",
            "baa_expires_on",
            "enforces_tls_onward",
        )
        labels = {
            "stream": "Takes",
            "host": "Server",
            "ca_certificate": "Authority to trust (PEM)",
            "baa_party": "Business associate",
            "baa_signed_on": "Agreement signed on",
            "baa_expires_on": "Agreement ends on",
            "enforces_tls_onward": "Its provider guarantees verified encryption onward",
        }
        help_texts = {
            "host": "The name its certificate is made for.",
            "ca_certificate": "Only for a private relay; otherwise leave it empty.",
            "baa_party": "With whom the agreement is. Without one in force, only public content leaves.",
            "baa_expires_on": "Empty: it holds until it is ended.",
            "enforces_tls_onward": "For each message, by contract or by REQUIRETLS. Health information needs it.",
        }
        widgets = {
            "ca_certificate": forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
            "baa_signed_on": DAY,
            "baa_expires_on": DAY,
        }

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().lower()
        if not (_HOST.match(host) or _is_ip(host)):
            raise forms.ValidationError("Give the server's name, for example smtp.example.com.")
        return host

    def clean_ca_certificate(self) -> str:
        pem = str(self.cleaned_data["ca_certificate"]).strip()
        if pem:
            try:
                ssl.create_default_context(cadata=pem)
            except (ssl.SSLError, ValueError):
                raise forms.ValidationError("This is not a certificate in PEM form.") from None
        return pem


class DomainForm(forms.Form):
    domain = forms.CharField(max_length=253, help_text="For example mail.example.com; a subdomain keeps mail apart.")

    def clean_domain(self) -> str:
        domain = str(self.cleaned_data["domain"]).strip().lower().rstrip(".")
        if not _DOMAIN.match(domain):
            raise forms.ValidationError("This is not a domain name.")
        return domain


class SenderForm(forms.Form):
    name = forms.CharField(max_length=80, help_text="What people see as the sender.")
    domain = forms.ModelChoiceField(SendingDomain.objects.filter(verified_at__isnull=False), empty_label=None)
    address = forms.EmailField(help_text="Of that domain.")
    reply_to = forms.EmailField(label="Answers go to", required=False, help_text="Empty: to the address itself.")

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())
