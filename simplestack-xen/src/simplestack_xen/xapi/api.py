"""Send XAPI messages on a session of the SDK: changes and reads. Long operations are in ``tasks``.

Like the session, an Api is not thread-safe: one request at a time.
"""

import contextlib
import logging
import xmlrpc.client
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from simplestack import (
    Credentials,
    HttpsClient,
    HypervisorError,
    HypervisorUnavailable,
    SessionExpired,
    time_left_seconds,
)
from simplestack_xen.sdk import XenAPI
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi import json_rpc
from simplestack_xen.xapi.events import Batch
from simplestack_xen.xapi.messages import Messages, request
from simplestack_xen.xapi.records import CLASSES, NULL, Record
from simplestack_xen.xapi.transport import Transport, xml_value

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R", bound=Record)

#: XAPI limits sessions per originator: above 500 it ends the oldest.
ORIGINATOR = "simplestack"
_API_VERSION = "1.0"
#: Errors about the session itself.
_UNUSABLE = ("SESSION_INVALID", "HOST_IS_SLAVE")
_LOGOUT_SECONDS = 5.0
#: Minimum time limit of a message, so that an operation without time left can still undo its changes.
_UNDO_SECONDS = 5.0
#: XAPI accepts requests of up to 300 KiB (``http_limit_max_rpc_size``). A reference takes a hundred bytes.
_MAX_REFS = 2000
#: Up to so many objects are read one by one. XAPI waits 50 ms before it answers ``event.from``, since 26.10.
_FEW_REFS = 8


class Api:
    """XAPI's messages on a session."""

    def __init__(self, client: HttpsClient, settings: XenSettings) -> None:
        self._client = client
        self._transport = Transport(client)
        self._sdk = XenAPI.Session("https://xapi/", self._transport)  # the client knows the host
        #: Time limit for one message.
        self.limit_seconds = settings.call_timeout_seconds
        #: Whether XAPI has accepted the session since the last checkout from the pool.
        self.verified_since_checkout = False
        self._speaks_json = True

    def log_in(self, credentials: Credentials, limit_seconds: float) -> None:
        """Log in.

        :raises XenAPI.Failure: XAPI rejects the login, such as SESSION_AUTHENTICATION_FAILED or HOST_IS_SLAVE
        :raises SimplestackError: the connection failed, or the response is not valid
        """
        self._transport.limit_seconds = limit_seconds
        try:
            self._sdk.login_with_password(
                credentials.username, credentials.password, _API_VERSION, ORIGINATOR
            )
        except xmlrpc.client.Fault:  # raised by the SDK for SESSION_INVALID
            raise HypervisorUnavailable("XAPI ended the session during the login: try again later") from None
        finally:
            # Otherwise the SDK keeps the password, and logs in again when XAPI has ended the session.
            self._sdk.last_login_method = self._sdk.last_login_params = None
        if not isinstance(self._sdk.handle, str):
            raise HypervisorError("XAPI returned a session of an unexpected type")
        self.verified_since_checkout = True

    def log_out(self) -> None:
        """Log out and close the connection.

        :raises SimplestackError: the logout failed; XAPI ends the session after a day without use
        """
        self._transport.limit_seconds = _LOGOUT_SECONDS
        try:
            if self.session:
                # The SDK's own `logout` needs the login method, which `log_in` clears. This does not check
                # the response: an error means that the session has ended already.
                self._sdk.session.logout(self.session)
        finally:
            self._client.close()

    @property
    def session(self) -> str:
        """The session's reference, or an empty string before the login."""
        return self._sdk.handle or ""

    @property
    def xenapi(self) -> Messages:
        """The messages that change something: ``xenapi.VM.add_tags(ref, name)``, which is `send`."""
        return Messages(self.send)

    def send(self, message: str, *parameters: Any) -> Any:
        """Send a message that changes something, and return its result as decoded XML-RPC.

        :raises XenAPI.Failure: XAPI returns an error
        :raises HypervisorError: the connection broke; whether the change took effect is unknown
        :raises HypervisorTimeout: no response in time
        """
        with self._on_session(message):
            return self._request(message, parameters, self._message_limit())

    def read(self, kind: type[T], message: str, *parameters: Any, limit_seconds: float | None = None) -> T:
        """Send a message that changes nothing, and return its result.

        If the host supports JSON-RPC, the response is decoded as the type of the result. Otherwise the SDK
        decodes XML-RPC.

        :param kind: type of the result
        :raises XenAPI.Failure: XAPI returns an error
        :raises HypervisorUnavailable: the connection broke twice
        """
        limit = self._message_limit() if limit_seconds is None else limit_seconds
        with self._on_session(message):
            if self._speaks_json:
                call = json_rpc.write_call(message, (self.session, *parameters))
                body = self._client.send(
                    request(message, json_rpc.PATH, call, json_rpc.CONTENT_TYPE),
                    lambda response: json_rpc.read_response(response, kind),
                    limit,
                )
                if body is not None:
                    return json_rpc.result_of(body)
                self._speaks_json = False
            value = self._request(message, parameters, limit)
        return _converted(value, kind)

    def read_if_there(self, kind: type[R], class_name: str, ref: str) -> R | None:
        """Return an object; None when it is gone."""
        try:
            return self.read(kind, f"{class_name}.get_record", ref)
        except XenAPI.Failure as failure:
            if failure.details[0] != "HANDLE_INVALID":
                raise
            return None

    def read_all(self, kind: type[R], class_name: str) -> dict[str, R]:
        """Return all objects of a class, by reference: one round trip.

        :param kind: type of the records
        """
        records: type[dict[str, R]] = dict[str, kind]  # type: ignore[valid-type]  # a type made of an argument
        return self.read(records, f"{class_name}.get_all_records")

    def read_some(self, kind: type[R], class_name: str, refs: Iterable[str]) -> dict[str, R]:
        """Return some objects of a class, by reference. Missing objects are left out.

        It takes a round trip for each of a few, and one for each 2,000 of more.
        """
        records = self.read_mixed({class_name: refs})
        return {ref: record for ref, record in records.items() if isinstance(record, kind)}

    def read_mixed(self, refs: "dict[str, Iterable[str]]") -> dict[str, Record]:
        """Return some objects of several classes, by reference, those of `CLASSES`. The rest is as above.

        ``event.from`` with an empty token returns all existing objects.

        :param refs: references by class
        """
        classes = {ref: name for name, some in refs.items() for ref in some if ref not in (NULL, "")}
        if len(classes) <= _FEW_REFS:
            read = {ref: self.read_if_there(CLASSES[name], name, ref) for ref, name in classes.items()}
            return {ref: record for ref, record in read.items() if record is not None}
        wanted = [f"{name}/{ref}" for ref, name in classes.items()]
        records: dict[str, Record] = {}
        for begin in range(0, len(wanted), _MAX_REFS):
            batch = self.read(Batch, "event.from", wanted[begin : begin + _MAX_REFS], "", 0.0)
            records |= {event.ref: event.snapshot for event in batch.events if event.snapshot is not None}
        return records

    def _message_limit(self) -> float:
        """Return the time limit for a message. Messages that undo an operation get a minimum."""
        return min(self.limit_seconds, max(time_left_seconds(), _UNDO_SECONDS))

    def _request(self, message: str, parameters: tuple[Any, ...], limit_seconds: float) -> Any:
        """Send a message through the SDK, which adds the session as the first parameter."""
        self._transport.limit_seconds = limit_seconds
        return self._sdk.xenapi_request(message, tuple(map(xml_value, parameters)))

    @contextlib.contextmanager
    def _on_session(self, message: str) -> Iterator[None]:
        """Send a message on the session, and translate errors about the session itself.

        A session is unusable if XAPI has ended it, or if its host is no longer the pool master.

        :raises SessionExpired: the session is unusable, and this was the first message since the checkout
        :raises HypervisorUnavailable: the session became unusable during an operation
        """
        try:
            yield
        except (XenAPI.Failure, xmlrpc.client.Fault) as failure:
            # The SDK raises a fault for SESSION_INVALID, since it has no password to log in again.
            if isinstance(failure, XenAPI.Failure) and failure.details[0] not in _UNUSABLE:
                self.verified_since_checkout = True
                raise XenAPI.Failure(
                    [part.replace(self.session, "(session)") for part in failure.details]
                ) from None
            if not self.verified_since_checkout:
                raise SessionExpired(
                    "XAPI has ended the session, and also the new one: try again later"
                ) from None
            raise HypervisorUnavailable(f"XAPI ended the session before {message}: try again later") from None
        self.verified_since_checkout = True


def _converted(value: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        _log.warning("XAPI's response does not match its data model: %s", error)
        raise HypervisorError(
            "XAPI returned a value of an unexpected type: the service's log has the details"
        ) from None
