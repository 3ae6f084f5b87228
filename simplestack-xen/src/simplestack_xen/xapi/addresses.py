"""Addresses of hosts, as XAPI writes them."""

import ipaddress


def in_url(text: str) -> str:
    """Return an address, with or without a port, as it is written in a URL.

    XAPI names the pool master by its address alone, and writes IPv6 without brackets. Older versions also do
    so in the ``Location`` of a redirect.
    """
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return f"[{text}]"
