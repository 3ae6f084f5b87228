"""Where a request wants to go: strict parsing of the host, and which hosts may be connected to."""

import dataclasses
import fnmatch
import functools
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simplestack.errors import HostNotAllowed, HypervisorUnavailable, InvalidArguments

#: RFC 1123 labels; the underscore is not in it but in many internal zones.
_NAME = re.compile(
    r"\A(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z"
)
_GLOB = re.compile(r"\A[A-Za-z0-9_.*?-]+\Z")
_WITH_PORT = re.compile(r"\A(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(:(?P<port>[0-9]{1,5}))?\Z")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """The host of a request, parsed: nothing but a name or an address, and perhaps a port."""

    #: A lower-case name, or an IPv4 or IPv6 address without brackets.
    name: str
    port: int | None = None
    #: Where the name was allowed because of the addresses that it resolves to: those addresses. A plugin
    #: dials one of them where it can, since the name may point elsewhere a moment later.
    addresses: tuple[str, ...] = ()
    #: Passes other targets that the settings allow, and raises HostNotAllowed for the rest; core puts it in.
    allow: "Callable[[Target], Target] | None" = field(default=None, repr=False, compare=False)

    def elsewhere(self, host: str) -> "Target":
        """Return another host that this one sends its clients to, where the settings allow it.

        :param host: ``name[:port]``, as this one says it
        :raises HostNotAllowed: the settings do not
        :raises HypervisorUnavailable: it is no host
        """
        try:
            target = parse_target(host)
        except InvalidArguments as error:
            raise HypervisorUnavailable(f"{self} sends its clients elsewhere: {error.message}") from None
        if self.allow is None:
            raise HostNotAllowed(f"{self} sends its clients to {target}, which is not an allowed host")
        return self.allow(target)

    @property
    def address(self) -> IpAddress | None:
        """The name as an address, where it is one."""
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None

    @property
    def is_loopback(self) -> bool:
        """Whether the name says that it is this machine."""
        address = self.address
        return self.name == "localhost" or (address is not None and address.is_loopback)

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


@functools.lru_cache(maxsize=1024)
def parse_target(text: str) -> Target:
    """Parse ``name[:port]``, ``1.2.3.4[:port]`` or ``[::1][:port]``.

    :raises InvalidArguments: it is anything else, a URL, a user or a path above all
    """
    refusal = f"host {text[:100]!r} is not a name or an address with an optional port, such as 10.0.0.1:443"
    match = _WITH_PORT.match(text)
    if match is None:
        raise InvalidArguments(refusal)
    name, port_text = match["host"].lower(), match["port"]
    port = None if port_text is None else int(port_text)
    if port is not None and not 1 <= port <= 65535:
        raise InvalidArguments(f"host {text[:100]!r}: the port must be from 1 to 65535")
    if name.startswith("["):
        try:
            address = ipaddress.IPv6Address(name[1:-1])
        except ValueError:
            raise InvalidArguments(refusal) from None
        if address.scope_id is not None:
            raise InvalidArguments(refusal)
        return Target(str(address), port)
    if not _NAME.match(name):
        raise InvalidArguments(refusal)
    if name.rsplit(".", 1)[-1].isdigit():  # the last label of a name is never all digits (RFC 3696)
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            raise InvalidArguments(refusal) from None
    return Target(name, port)


def _resolve(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})


class AllowList:
    """The hosts that a plugin may connect to: names, globs, addresses, CIDR ranges, or ``*`` for all.

    A glob is matched against the name in the request. A range is matched against every address that the name
    resolves to, so that a name which points elsewhere does not get through.

    :raises ValueError: a pattern is neither of them
    """

    def __init__(self, patterns: Sequence[str], resolve: Callable[[str], list[str]] = _resolve) -> None:
        self._globs: list[str] = []
        self._ranges: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._resolve = resolve
        for pattern in patterns:
            try:
                self._ranges.append(ipaddress.ip_network(pattern.strip("[]"), strict=False))
            except ValueError:
                if not _GLOB.match(pattern):
                    raise ValueError(f"{pattern!r} is no name, glob, address or CIDR range") from None
                self._globs.append(pattern.lower())

    def check(self, target: Target) -> Target:
        """Return a target that may be connected to, with its addresses where these are why.

        :raises HostNotAllowed: it may not
        :raises HypervisorUnavailable: only ranges could allow it, and its name does not resolve
        """
        target = dataclasses.replace(target, allow=self.check)
        if any(fnmatch.fnmatchcase(target.name, glob) for glob in self._globs):
            return target
        address = target.address
        if self._ranges and address is None:
            try:
                addresses = [ipaddress.ip_address(found) for found in self._resolve(target.name)]
            except OSError as error:
                raise HypervisorUnavailable(
                    f"host {target.name} does not resolve: {error.strerror}"
                ) from None
        else:
            addresses = [] if address is None else [address]
        if addresses and all(any(found in network for network in self._ranges) for found in addresses):
            return dataclasses.replace(target, addresses=tuple(str(found) for found in addresses))
        raise HostNotAllowed(
            f"host {target} is not among the allowed_hosts of this service; its operator can add it"
        )
