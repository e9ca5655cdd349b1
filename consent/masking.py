"""An address that its owner recognises and nobody else learns (CAN-17)."""


def mask(address: str) -> str:
    """`s•••@example.com`: one letter and the domain; "" stays ""."""
    local, at, domain = address.rpartition("@")
    if not at:
        return ""
    return f"{local[:1] if len(local) > 1 else ''}•••@{domain}"
