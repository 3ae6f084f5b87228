"""MAC and IP addresses."""

import ipaddress
import os
import re

from simplestack import InvalidArguments

_MAC = re.compile(r"\A[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
#: Locally administered, as QEMU's guests have it.
MAC_PREFIX = "52:54:00"


def new_mac() -> str:
    """Make up a MAC address."""
    return f"{MAC_PREFIX}:{os.urandom(3).hex(':')}"


def plain_mac(mac: str) -> str:
    """Return a MAC address that a guest can have, in lower case.

    :raises InvalidArguments: it is none, or one of a group (IEEE 802: the first octet is odd)
    """
    plain = mac.lower()
    if not _MAC.match(plain):
        raise InvalidArguments(f"MAC address {mac[:50]!r} is not six octets with colons, such as {new_mac()}")
    if int(plain[:2], 16) & 1 or plain == "00:00:00:00:00:00":
        raise InvalidArguments(
            f"MAC address {plain} is that of no single interface: the first octet must be even"
        )
    return plain


def check_addresses(addresses: list[str], version: int, bound: int) -> None:
    """Pass addresses and ranges of one IP version.

    :raises InvalidArguments: one of them is something else, or there are more than `bound`
    """
    member = f"ipv{version}_allowed"
    if len(addresses) > bound:
        raise InvalidArguments(
            f"{member} has {len(addresses)} entries, the bound in [hypervisors.mock] is {bound}"
        )
    for address in addresses:
        try:
            fits = ipaddress.ip_network(address, strict=False).version == version
        except ValueError:
            fits = False
        if not fits:
            raise InvalidArguments(f"{member}: {address[:50]!r} is no IPv{version} address or range")
