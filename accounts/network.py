"""Where a request came from: exact for throttling, coarse for everything that is kept."""

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

#: First match wins: Edge and Opera also say Chrome, Chrome also says Safari.
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows"), ("Mac", "macOS"))


def client_address(request: HttpRequest) -> str:
    """The address of the client, past as many proxies of ours as `TRUSTED_PROXIES` says; "" if it is none."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    hops = settings.TRUSTED_PROXIES
    text = forwarded[-hops] if 0 < hops <= len(forwarded) else request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def network_of(address: str) -> str:
    """The address truncated to /24 or /48: enough to tell places apart, too little to tell people apart."""
    if not address:
        return ""
    version = ip_address(address).version
    return str(ip_network(f"{address}/{24 if version == 4 else 48}", strict=False))


def source_of(request: HttpRequest) -> str:
    return network_of(client_address(request))


def browser_of(request: HttpRequest) -> str:
    """Family and system, such as "Firefox on Windows"; the version is nobody's business."""
    agent = request.headers.get("User-Agent", "")
    browser = next((name for sign, name in BROWSERS if sign in agent), "Unknown browser")
    system = next((name for sign, name in SYSTEMS if sign in agent), "Linux" if "Linux" in agent else "")
    return f"{browser} on {system}" if system else browser
