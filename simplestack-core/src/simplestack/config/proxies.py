"""The setting ``server.trusted_proxies``: addresses and ranges."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def proxy_networks(addresses: Iterable[str]) -> tuple[Network, ...]:
    """Return the setting as networks; an address is a network of one.

    :raises ValueError: one of them is no address and no range; the message names it
    """
    return tuple(map(_network, addresses))


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not an address or a CIDR range") from None
    raise ValueError(f"{text!r} is an address in a range: write {str(meant)!r}")
