"""The address of a client: of the connection, or what a trusted proxy says."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import falcon

from simplestack.config.proxies import proxy_networks

_FORWARDED = "simplestack.client_address"


def client_address(environ: Mapping[str, Any]) -> str | None:
    """Return the address of the client of a request; None through a Unix socket without a trusted proxy."""
    return environ.get(_FORWARDED) or environ.get("REMOTE_ADDR") or None


def peer_address(address: Any) -> str | None:
    """Return the address of a connection, as ``socket.accept`` returns it; None for a Unix socket."""
    return address[0] if isinstance(address, tuple) and address else None


class TrustedProxies:
    """Middleware that reads ``X-Forwarded-For`` of requests from the proxies in the settings.

    Each proxy appends the address that it got the request from. So the last address that is not a trusted
    proxy's is the client's; what is before it may be made up.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        """Set the proxies.

        :param addresses: addresses and ranges
        :raises ValueError: one of them is neither
        """
        self._networks = proxy_networks(addresses)

    def process_request(self, request: falcon.Request, _response: falcon.Response) -> None:
        """Set the client's address."""
        address = request.env.get("REMOTE_ADDR", "")
        forwarded = request.env.get("HTTP_X_FORWARDED_FOR", "").split(",")
        while forwarded and self._trusts(address):
            following = _normal(forwarded.pop())
            if following is None:
                break
            address = following
        request.env[_FORWARDED] = address

    def _trusts(self, address: str) -> bool:
        if not address:  # a proxy on this machine, through a Unix socket
            return True
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(known, "ipv4_mapped", None) or known
        return any(mapped in network for network in self._networks)


def _normal(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return None
