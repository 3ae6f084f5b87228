"""Check the MAC addresses and IP addresses of guests."""

import ipaddress
import re

from simplestack import InvalidArguments

#: IEEE 802: the first octet of a unicast address is even.
_SINGLE_MAC = re.compile(r"(?!00(:00){5})[0-9a-f][02468ace](:[0-9a-f]{2}){5}")


def plain_mac(mac: str) -> str:
    """Check that `mac` is a valid address for a guest, and return it in lower case.

    :raises InvalidArguments: it is malformed, or a multicast address
    """
    plain = mac.lower()
    if not _SINGLE_MAC.fullmatch(plain):
        raise InvalidArguments(
            f"`mac`: {plain[:50]!r} is not the address of a single interface: send six octets with colons, "
            "the first of them even, such as 52:54:00:12:34:56"
        )
    return plain


def check_addresses(addresses: list[str], version: int, limit: int) -> None:
    """Check addresses and ranges of one IP version.

    :raises InvalidArguments: one of them is invalid, or there are more than `limit`
    """
    field = f"ipv{version}_allowed"
    if len(addresses) > limit:
        raise InvalidArguments(
            f"`{field}` has {len(addresses)} entries: the limit in [hypervisors.mock] is {limit}"
        )
    for address in addresses:
        try:
            fits = ipaddress.ip_network(address, strict=False).version == version
        except ValueError:
            fits = False
        if not fits:
            raise InvalidArguments(f"`{field}`: {address[:50]!r} is not an IPv{version} address")
