"""Parse hosts strictly, and check that they are allowed."""

import dataclasses
import fnmatch
import functools
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simplestack.errors import HostNotAllowed, HypervisorUnavailable, InvalidArguments

#: RFC 1123 labels, and underscores, which many internal zones use.
_NAME = re.compile(
    r"\A(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\Z"
)
_GLOB = re.compile(r"\A[A-Za-z0-9_.*?-]+\Z")
_WITH_PORT = re.compile(r"\A(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(:(?P<port>[0-9]{1,5}))?\Z")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """The parsed host of a request: a name or an address, and an optional port."""

    #: A lower-case name, or an IPv4 or IPv6 address without brackets.
    name: str
    port: int | None = None
    #: The addresses of the name, if it is allowed because of them. If possible, connect to one of these: the
    #: name may resolve to other addresses later.
    addresses: tuple[str, ...] = ()
    #: Checks that another target is allowed, and raises HostNotAllowed if not. Core sets it.
    allow: "Callable[[Target], Target] | None" = field(default=None, repr=False, compare=False)

    def elsewhere(self, host: str) -> "Target":
        """Check that another host, to which this one redirects, is allowed, and return it.

        :param host: ``name[:port]`` from the redirect
        :raises HostNotAllowed: the settings do not allow the host
        :raises HypervisorUnavailable: `host` is not a valid host
        """
        try:
            target = parse_target(host)
        except InvalidArguments as error:
            raise HypervisorUnavailable(f"{self} redirects to an invalid host: {error.message}") from None
        if self.allow is None:
            raise HostNotAllowed(f"{self} redirects to {target}, which is not in allowed_hosts")
        return self.allow(target)

    @property
    def address(self) -> IpAddress | None:
        """The address, or None for a name."""
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None

    @property
    def is_loopback(self) -> bool:
        """Whether it is ``localhost`` or a loopback address."""
        address = self.address
        return self.name == "localhost" or (address is not None and address.is_loopback)

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"


@functools.lru_cache(maxsize=1024)
def parse_target(text: str) -> Target:
    """Parse ``name[:port]``, ``1.2.3.4[:port]`` or ``[::1][:port]``.

    :raises InvalidArguments: it is anything else, such as a URL
    """
    message = f"host {text[:100]!r} is not a name or an address with an optional port, such as 10.0.0.1:443"
    match = _WITH_PORT.match(text)
    if match is None:
        raise InvalidArguments(message)
    name, port_text = match["host"].lower(), match["port"]
    port = None if port_text is None else int(port_text)
    if port is not None and not 1 <= port <= 65535:
        raise InvalidArguments(f"host {text[:100]!r}: the port must be from 1 to 65535")
    if name.startswith("["):
        try:
            address = ipaddress.IPv6Address(name[1:-1])
        except ValueError:
            raise InvalidArguments(message) from None
        if address.scope_id is not None:
            raise InvalidArguments(message)
        return Target(str(address), port)
    if not _NAME.match(name):
        raise InvalidArguments(message)
    if name.rsplit(".", 1)[-1].isdigit():  # the last label of a name is never all digits (RFC 3696)
        try:
            ipaddress.IPv4Address(name)
        except ValueError:
            raise InvalidArguments(message) from None
    return Target(name, port)


def _resolve(name: str) -> list[str]:
    resolved = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in resolved})


class AllowList:
    """The hosts that a plugin may connect to: names, globs, addresses, CIDR ranges, or ``*`` for all.

    A glob must match the name in the request. Ranges must include all addresses that the name resolves to.

    :raises ValueError: a pattern is none of these
    """

    def __init__(self, patterns: Sequence[str], resolve: Callable[[str], list[str]] = _resolve) -> None:
        self._globs: list[str] = []
        self._ranges: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._resolve = resolve
        for pattern in patterns:
            try:
                network = ipaddress.ip_network(pattern.strip("[]"), strict=False)
            except ValueError:
                if not _GLOB.match(pattern):
                    raise ValueError(
                        f"{pattern!r} is not a name, a glob, an address or a CIDR range"
                    ) from None
                self._globs.append(pattern.lower())
            else:
                if "/" in pattern and ipaddress.ip_address(pattern.split("/")[0].strip("[]")) != network[0]:
                    raise ValueError(f"{pattern!r} is an address in a range: write {str(network)!r}")
                self._ranges.append(network)

    def check(self, target: Target) -> Target:
        """Check that a target is allowed, and return it, with its addresses if it is allowed because of them.

        :raises HostNotAllowed: the target is not allowed
        :raises HypervisorUnavailable: the name does not resolve, and only ranges could allow it
        """
        target = dataclasses.replace(target, allow=self.check)
        if any(fnmatch.fnmatchcase(target.name, glob) for glob in self._globs):
            return target
        address = target.address
        if self._ranges and address is None:
            try:
                addresses = [ipaddress.ip_address(text) for text in self._resolve(target.name)]
            except OSError as error:
                raise HypervisorUnavailable(f"cannot resolve host {target.name}: {error.strerror}") from None
        else:
            addresses = [] if address is None else [address]
        if addresses and all(any(each in network for network in self._ranges) for each in addresses):
            return dataclasses.replace(target, addresses=tuple(map(str, addresses)))
        raise HostNotAllowed(
            f"host {target} is not in allowed_hosts of this service; ask its operator to add it"
        )
