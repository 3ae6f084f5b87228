"""Take the steps of a request to a host one by one, to tell which of them fails."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from simplestack.dispatch.call import Call, make_call
from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.dispatch.nested_arguments import nested_arguments
from simplestack.entities.call_context import CallContext
from simplestack.errors import (
    HostNotAllowed,
    HypervisorNotFound,
    HypervisorTimeout,
    HypervisorUnavailable,
    InvalidArguments,
    PermissionDenied,
    SimplestackError,
    Unauthorized,
)
from simplestack.identity.credentials import Credentials
from simplestack.operations.table import OPERATIONS, TRANSFER_HOOKS
from simplestack.plugins.explanation import explain
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.sessions.targets import Target, parse_target
from simplestack.sessions.time_limits import DeadlineExceeded, call_or_abandon

T = TypeVar("T")

#: Operations that need no ID, the cheapest first.
_READS = tuple(
    operation.name
    for operation in OPERATIONS
    if operation.method == "GET" and "{" not in operation.path and operation.name not in TRANSFER_HOOKS
)
_RESOLVE = "check the name, and the name servers of the machine that runs the service"


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a step."""

    name: str
    #: What was found, or the error.
    text: str
    #: What to do about the error; empty if there is none.
    advice: str = ""


class _Failed(Exception):
    """A step has failed, so that there are no further ones."""

    def __init__(self, name: str, text: str, advice: str) -> None:
        super().__init__(name)
        self.step = Step(name, text, advice)


class TargetCheck:
    """Logs in to a host and reads once, as a request does: through the dispatcher and the plugin's hooks."""

    def __init__(self, dispatcher: Dispatcher, word: str, host: str, credentials: Credentials) -> None:
        """Prepare the check.

        :param word: name or alias of a hypervisor
        :param host: ``name[:port]``
        """
        self._dispatcher = dispatcher
        self._word = word
        self._host = host
        self._credentials = credentials

    def steps(self) -> Iterator[Step]:
        """Yield the result of each step as it ends. The first that fails, which has advice, is the last."""
        try:
            hypervisor = self._hypervisor()
            yield Step("plugin", f"{hypervisor.plugin.title}, {hypervisor.distribution} {hypervisor.version}")
            target = self._allowed_target(hypervisor)
            yield Step("host", f"{target} is allowed")
            user = self._credentials.username
            context = CallContext(hypervisor=hypervisor.name, host=str(target), user=user, request_id="-")
            call = make_call(context, target, self._credentials)
            yield from self._connected(hypervisor, call)
            yield Step("login", f"as {user}")
            yield self._read(hypervisor, call)
        except _Failed as failed:
            yield failed.step

    def _hypervisor(self) -> Hypervisor:
        try:
            return self._dispatcher.hypervisor(self._word)
        except HypervisorNotFound as error:
            reasons = [str(failure) for failure in self._dispatcher.registry.failures]
            advice = "; ".join(reasons) or "`simplestack plugins` lists what is installed"
            raise _Failed("plugin", error.message, advice) from None

    def _allowed_target(self, hypervisor: Hypervisor) -> Target:
        try:
            target = parse_target(self._host)
        except InvalidArguments as error:
            raise _Failed(
                "host", error.message, "write HOST or HOST:PORT, as in the path of a request"
            ) from None
        _, allowed = self._dispatcher.registry.settings_at(hypervisor, target.name)
        try:
            self._within_limit(hypervisor, target, lambda: allowed.check(target))
        except HostNotAllowed:
            advice = f"add {target.name!r} to allowed_hosts in [hypervisors.{hypervisor.name}]"
            raise _Failed("host", f"{target} is not in allowed_hosts", advice) from None
        except (HypervisorUnavailable, TimeoutError) as error:  # the name's addresses decide
            raise _Failed("address", str(error), _RESOLVE) from None
        return target

    def _connected(self, hypervisor: Hypervisor, call: Call) -> Iterator[Step]:
        """Find the host's addresses, and connect. Some plugins need none, such as the mock."""
        name = call.target.name
        unresolved = ""
        if call.target.address is None:
            try:
                addresses = self._within_limit(hypervisor, call.target, lambda: _addresses(name))
            except OSError as error:
                unresolved = (
                    str(error) if error.strerror is None else f"cannot resolve {name}: {error.strerror}"
                )
            else:
                yield Step("address", f"{name} is {', '.join(addresses)}")
        started_seconds = time.monotonic()
        try:
            self._dispatcher.connect(call)
        except Exception as error:
            raise self._not_connected(hypervisor, error, unresolved) from None
        if unresolved:
            yield Step("address", f"{unresolved}; {hypervisor.name} does not need its address")
        yield Step("connection", f"in {time.monotonic() - started_seconds:.2f} s")

    def _not_connected(self, hypervisor: Hypervisor, error: Exception, unresolved: str) -> _Failed:
        text = self._text(hypervisor, error)
        table = f"[hypervisors.{hypervisor.name}]"
        if isinstance(error, HostNotAllowed):
            return _Failed(
                "connection", text, f"add the host that this one redirects to to allowed_hosts in {table}"
            )
        if isinstance(error, Unauthorized | PermissionDenied):
            has_accounts = "accounts" in hypervisor.plugin.settings.__struct_fields__
            more = f", and the accounts in {table}" if has_accounts else ""
            return _Failed("login", text, f"check the user name and the password{more}")
        if isinstance(error, HypervisorUnavailable | HypervisorTimeout):
            if unresolved:
                return _Failed("address", f"{unresolved} ({text})", _RESOLVE)
            advice = f"check that the host listens there, the firewalls, and the transport or TLS in {table}"
            return _Failed("connection", text, advice)
        return _Failed("connection", text, _advice(hypervisor, error))

    def _read(self, hypervisor: Hypervisor, call: Call) -> Step:
        hook = next(filter(hypervisor.implements, _READS), None)
        if hook is None:
            return Step("read", f"not tried: {hypervisor.name} has no operation that reads without an ID")
        started_seconds = time.monotonic()
        try:
            result = self._dispatcher.call(call, hook, nested_arguments(hypervisor, hook, {}))
        except Exception as error:
            advice = _advice(hypervisor, error)
            raise _Failed("read", f"{hook}: {self._text(hypervisor, error)}", advice) from None
        found = f"{len(result)} found, " if isinstance(result, list) else ""
        return Step("read", f"{hook}: {found}in {time.monotonic() - started_seconds:.2f} s")

    def _within_limit(self, hypervisor: Hypervisor, target: Target, resolve: Callable[[], T]) -> T:
        """Resolve a name, which has no time limit of its own.

        :raises TimeoutError: the time limit for connecting has passed
        """
        settings, _ = self._dispatcher.registry.settings_at(hypervisor, target.name)
        limit_seconds = settings.connect_timeout_seconds
        try:
            return call_or_abandon(limit_seconds, resolve, lambda: lambda: None)
        except DeadlineExceeded:
            raise TimeoutError(f"cannot resolve {target.name} within {limit_seconds:g} s") from None

    def _text(self, hypervisor: Hypervisor, error: Exception) -> str:
        """Return the message of an error. A plugin's own exception may quote the password."""
        if isinstance(error, SimplestackError):
            text = error.message
        else:
            text = explain(error, hypervisor.package, hypervisor.distribution)
        password = self._credentials.password
        return text.replace(password, "***") if password else text


def _addresses(name: str) -> list[str]:
    resolved = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in resolved})


def _advice(hypervisor: Hypervisor, error: Exception) -> str:
    if isinstance(error, Unauthorized | PermissionDenied):
        return "check the role of this user at the hypervisor, and the policies in server.services"
    if isinstance(error, HypervisorTimeout):
        return f"check the load of the host, and call_timeout_seconds in [hypervisors.{hypervisor.name}]"
    if isinstance(error, SimplestackError):
        return "the log of the host may say more"
    return f"this is a defect of {hypervisor.distribution} {hypervisor.version}: tell its author"
