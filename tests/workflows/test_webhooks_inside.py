"""Systems inside the network that the deployment names may be called, exactly those, and never what tells secrets."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from core import clock
from core.actors import SYSTEM
from tests.workflows.webserver import HOST, WebServer
from workflows import endpoints
from workflows.errors import BadAddress
from workflows.webhooks.address import Target, parse, permitted
from workflows.webhooks.inside import read
from workflows.webhooks.wire import NotTold, Wire

NAMED = "ehr.internal.example:8443, lab.corp, 10.1.2.0/28, fd12:3456::/64, 192.168.7.7"


@pytest.fixture
def named(settings: Any) -> None:
    settings.WORKFLOWS_WEBHOOK_INTERNAL = NAMED


@pytest.mark.parametrize(
    ("url", "address", "may"),
    [
        # A host that is named, at its port: wherever inside its name leads.
        ("https://ehr.internal.example:8443/in", "10.200.0.1", True),
        ("https://EHR.internal.example.:8443/in", "172.16.3.4", True),
        ("https://lab.corp/in", "192.168.1.1", True),
        ("https://lab.corp/in", "fd99::1", True),
        ("https://lab.corp/in", "8.8.8.8", True),
        # A network: whichever name leads there.
        ("https://hooks.example.com/in", "10.1.2.15", True),
        ("https://hooks.example.com/in", "fd12:3456::9", True),
        ("https://hooks.example.com/in", "192.168.7.7", True),
        ("https://hooks.example.com/in", "8.8.8.8", True),
        # Beside what is named.
        ("https://hooks.example.com/in", "10.1.2.16", False),
        ("https://hooks.example.com/in", "10.1.1.255", False),
        ("https://hooks.example.com/in", "192.168.7.8", False),
        ("https://hooks.example.com/in", "fd12:3456:0:1::9", False),
        ("https://hooks.example.com/in", "::ffff:10.1.2.3", False),
        ("https://ehr.internal.example.com/in", "10.200.0.1", False),
        ("https://a.lab.corp.example.com/in", "10.200.0.1", False),
        # This machine, and where clouds tell secrets.
        ("https://lab.corp/in", "127.0.0.1", False),
        ("https://lab.corp/in", "::1", False),
        ("https://lab.corp/in", "0.0.0.0", False),
        ("https://lab.corp/in", "169.254.169.254", False),
        ("https://lab.corp/in", "169.254.170.2", False),
        ("https://lab.corp/in", "fe80::1%eth0", False),
        ("https://lab.corp/in", "::ffff:169.254.169.254", False),
        ("https://lab.corp/in", "fd00:ec2::254", False),
        ("https://lab.corp/in", "fd20:ce::254", False),
        ("https://lab.corp/in", "100.100.100.200", False),
        ("https://lab.corp/in", "168.63.129.16", False),
        ("https://lab.corp/in", "224.0.0.1", False),
        ("https://hooks.example.com/in", "168.63.129.16", False),
    ],
)
def test_exactly_what_is_named_is_called(named: None, url: str, address: str, may: bool) -> None:
    assert permitted(parse(url), address) is may


@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.internal.example/", "https://ehr.internal.example:443/x:8443", "https://lab.corp:8443/",
        "https://other.corp/", "https://a.lab.corp/", "https://hooks.example.com:8443/", "http://lab.corp/",
        "https://10.1.2.3/", "https://192.168.7.7/", "https://[fd12:3456::9]/", "https://x@lab.corp/",
    ],
)  # fmt: skip
def test_other_names_ports_and_ways_are_refused_as_ever(named: None, url: str) -> None:
    if url.startswith("https://ehr.internal.example"):
        assert not permitted(parse(url), "10.200.0.1"), "at the port that is named alone"
        return
    with pytest.raises(BadAddress):
        parse(url)


def test_without_the_setting_nothing_inside_is_called() -> None:
    assert configured.WORKFLOWS_WEBHOOK_INTERNAL == ""
    assert not permitted(Target("hooks.example.com", "/"), "10.1.2.3")
    with pytest.raises(BadAddress, match="CARILLON_WEBHOOK_INTERNAL"):
        parse("https://lab.corp/")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "fd00:ec2::254", "::1"])
def test_what_tells_secrets_is_called_only_where_that_very_address_is_named(settings: Any, address: str) -> None:
    settings.WORKFLOWS_WEBHOOK_INTERNAL = address
    assert permitted(parse("https://hooks.example.com/"), address)
    assert not permitted(parse("https://hooks.example.com/"), "127.0.0.2")


@pytest.mark.parametrize(
    "text",
    [
        "10.1.2.3/28", "0.0.0.0/0", "::/0", "169.254.0.0/16", "127.0.0.0/8", "8.8.8.0/24", "10.0.0.0/33", "10.1.2.0/",
        "*.corp", "https://lab.corp", "lab.corp/in", "lab.corp:0", "lab.corp:70000", "lab.corp:x", "lab.corp:",
        "lab corp",
        "-lab.corp", "lab..corp", "10.1.2", "0x7f.1", "user@lab.corp", "lab.corp;other.corp", "hö.corp", ":8443",
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="“"):
        read(f"lab.corp, {text}")


def test_nothing_starts_with_a_malformed_setting() -> None:
    environment = {**os.environ, "CARILLON_WEBHOOK_INTERNAL": "10.1.2.3/28"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=configured.BASE_DIR, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "CARILLON_WEBHOOK_INTERNAL: “10.1.2.3/28” is no network" in done.stderr


def test_the_address_is_checked_when_it_is_called_and_the_port_is_said(tmp_path: Path, settings: Any) -> None:
    with WebServer(tmp_path) as server:
        settings.WORKFLOWS_WEBHOOK_INTERNAL = f"{HOST}:{server.port},127.0.0.1"
        target = parse(f"https://{HOST}:{server.port}/in")
        inside = server.wire()
        wire = Wire(resolve=inside.resolve, context=inside.context)
        assert wire.post(target, b"{}", {}) == 204
        assert server.heard[0].headers["host"] == f"{HOST}:{server.port}"
        rebound = Wire(resolve=lambda host, port: ["127.0.0.1", "169.254.169.254"], context=inside.context)
        with pytest.raises(NotTold) as told:
            rebound.post(target, b"{}", {})
        assert told.value.code == "not_public"
        assert len(server.heard) == 1
        untrusted = Wire(resolve=inside.resolve)
        with pytest.raises(NotTold) as told:
            untrusted.post(target, b"{}", {})
        assert told.value.code == "certificate"


@pytest.mark.django_db
def test_an_endpoint_that_is_named_no_more_can_be_led_elsewhere_and_its_agreement_ends(settings: Any) -> None:
    settings.WORKFLOWS_WEBHOOK_INTERNAL = "ehr.internal.example:8443"
    agreed = {"baa_party": "Records Ltd", "baa_signed_on": clock.now().date()}
    made, _ = endpoints.create(name="Records", url="https://ehr.internal.example:8443/in", by=SYSTEM, **agreed)
    settings.WORKFLOWS_WEBHOOK_INTERNAL = ""
    assert endpoints.change(made, name="Old records", by=SYSTEM).baa_party == "Records Ltd"
    with pytest.raises(BadAddress):
        endpoints.change(made, url=made.url, by=SYSTEM)
    led = endpoints.change(made, url="https://hooks.example.com/in", by=SYSTEM)
    assert (led.name, led.url, led.baa_party) == ("Old records", "https://hooks.example.com/in", "")
