"""What of this network webhooks may go to all the same: systems named one by one by whoever runs the deployment."""

import re
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from django.conf import settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
PORT = 443

#: What is handed out within networks.
_INNER: tuple[Network, ...] = (
    *map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")),
    IPv6Network("fc00::/7"),
)
#: Where clouds tell a machine its secrets, as far as that lies among the inner ones.
_METADATA: tuple[Network, ...] = (
    IPv4Network("100.100.100.200/32"),
    IPv6Network("fd00:ec2::/32"),
    IPv6Network("fd20:ce::/32"),
)
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")


class Inside(NamedTuple):
    """`hosts` with their ports; `networks`; `addresses`: single ones, permitted whatever they are."""

    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()
    addresses: frozenset[Address] = frozenset()

    def names(self, host: str, port: int) -> bool:
        return (host, port) in self.hosts

    def permits(self, host: str, port: int, address: Address) -> bool:
        """Whether this name may be called where it leads to this address inside.

        Never one at which clouds tell secrets, nor this machine itself, unless that very address is named.
        """
        if not self.names(host, port) and port != PORT:
            return False
        if address in self.addresses:
            return True
        if not _among(_INNER, address) or _among(_METADATA, address):
            return False
        return self.names(host, port) or _among(self.networks, address)


def _among(networks: tuple[Network, ...], address: Address) -> bool:
    return any(address in network for network in networks)


def read(text: str) -> Inside:
    """ "ehr.internal.example:8443, 10.1.2.0/28": hosts by name, with a port or 443; networks; addresses.

    ValueError saying which entry is none of these.
    """
    hosts: set[tuple[str, int]] = set()
    networks: list[Network] = []
    addresses: set[Address] = set()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        if "/" in entry:
            network = _network(entry)
            if network.num_addresses == 1:
                addresses.add(network.network_address)
            else:
                networks.append(network)
        elif (address := _address(entry)) is not None:
            addresses.add(address)
        else:
            hosts.add(_host(entry))
    return Inside(frozenset(hosts), tuple(networks), frozenset(addresses))


def _network(entry: str) -> Network:
    try:
        network = ip_network(entry)
    except ValueError:
        raise ValueError(f"“{entry}” is no network. One looks like 10.1.2.0/28, with 0 behind its 28 bits.") from None
    if network.num_addresses > 1 and not any(
        network.version == inner.version and network.subnet_of(inner)  # type: ignore[arg-type]  # the same version
        for inner in _INNER
    ):
        raise ValueError(f"“{entry}” is not within a private range. Name its systems one by one.")
    return network


def _address(entry: str) -> Address | None:
    try:
        return ip_address(entry)
    except ValueError:
        return None


def _host(entry: str) -> tuple[str, int]:
    host, colon, port = entry.lower().partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
    last = host.rpartition(".")[2]
    if not _NAME.fullmatch(host) or last.isdigit() or last.startswith("0x") or (colon and not 0 < number < 65536):
        raise ValueError(f"“{entry}” is neither a host (ehr.internal.example:8443), nor an address, nor a network.")
    return host, number or PORT


@cache
def _read(text: str) -> Inside:
    return read(text)


def inside() -> Inside:
    """What this deployment names."""
    return _read(settings.WORKFLOWS_WEBHOOK_INTERNAL)
