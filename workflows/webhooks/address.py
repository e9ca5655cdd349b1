"""Which addresses a webhook may go to: public ones, by name, over HTTPS (IDN-18), and what the deployment names inside.

What is not public is listed here, not asked of a library: the list is what is tested and reviewed. IPv6 is the other
way round: only what is handed out for the public (2000::/3) is permitted, without the parts that carry IPv4 inside.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from workflows.errors import BadAddress
from workflows.webhooks.inside import PORT, inside

MAX_URL = 500
#: Loopback, private, link-local (where clouds answer about themselves), shared, reserved, documentation, multicast.
_NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
_PUBLIC_6 = IPv6Network("2000::/3")
#: Teredo and its like, documentation, 6to4, documentation.
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
#: Ends of names that never lead to the public.
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "home.arpa", "onion")


class Target(NamedTuple):
    """Where a webhook goes. `host` in ASCII, lower case; `path` with the query."""

    host: str
    path: str
    port: int = PORT


def permitted(target: Target, address: str) -> bool:
    """Whether a webhook for `target` may go to this IP address, to which its name leads just now."""
    if is_public(address):
        return True
    try:
        return inside().permits(target.host, target.port, ip_address(address))
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether this IP address is one that everybody can reach."""
    try:
        found = ip_address(address)
    except ValueError:  # a scope ("fe80::1%eth0"), or no address at all
        return False
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _NOT_PUBLIC)
    assert isinstance(found, IPv6Address)
    return found in _PUBLIC_6 and not any(found in network for network in _NOT_PUBLIC_6)


def parse(url: str) -> Target:
    """Take an address apart. Raises BadAddress, saying what to change."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise BadAddress(f"Give the address in plain letters without spaces, at most {MAX_URL} characters.")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise BadAddress("This is not a web address. It looks like https://hooks.example.com/carillon") from None
    if parts.scheme != "https":
        raise BadAddress("The address has to begin with https://, so that what is said travels encrypted.")
    if "@" in parts.netloc:
        raise BadAddress("Leave user name and password out of the address: calls are signed instead.")
    port = PORT if port is None else port
    if port != PORT and not inside().names(host, port):
        raise BadAddress("Only the usual port of HTTPS (443) is called. Leave the port out of the address." + NAMED)
    if parts.fragment:
        raise BadAddress("Leave out the part from # on: it is never sent.")
    _refuse_host(host, port)
    path = parts.path or "/"
    return Target(host, f"{path}?{parts.query}" if parts.query else path, port)


#: Who can help where it has to be.
NAMED = " Where it is a system of your own, have whoever runs Carillon name it in CARILLON_WEBHOOK_INTERNAL."


def _refuse_host(host: str, port: int) -> None:
    labels = host.split(".")
    if not all(label and len(label) <= 63 and label.strip("-") == label for label in labels) or len(host) > 253:
        raise BadAddress("This is not a web address. It looks like https://hooks.example.com/carillon")
    if not all(c.isalnum() or c in "-_" for label in labels for c in label):
        raise BadAddress("Give the name of a server, like hooks.example.com: an IP address is not called.")
    # Whatever ends in a number is read as an IPv4 address by some: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        raise BadAddress("Give the name of a server, like hooks.example.com: an IP address is not called.")
    if inside().names(host, port):
        return
    if len(labels) < 2 or any(host == end or host.endswith(f".{end}") for end in _INSIDE):
        raise BadAddress("This name leads inside this network. Webhooks go to public servers only." + NAMED)
