"""XAPI's messages, sent on one session: changes and reads. What takes long is in ``tasks``.

One request at a time: an Api is no more safe for several threads than the session itself.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from simplestack import (
    Credentials,
    HypervisorError,
    HypervisorUnavailable,
    SessionExpired,
    time_left_seconds,
)
from simplestack_xen.sdk import XenAPI
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi import json_rpc, xml_rpc
from simplestack_xen.xapi.connection import KeptConnection
from simplestack_xen.xapi.events import Batch
from simplestack_xen.xapi.messages import Messages
from simplestack_xen.xapi.records import NULL, Record

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R", bound=Record)

#: XAPI counts sessions by who began them: 500 of each, and then it ends the oldest.
ORIGINATOR = "simplestack"
_API_VERSION = "1.0"
_LOGOUT_SECONDS = 5.0
#: Time limit for a message when the operation has no time left, so that what it began can be undone.
_UNDO_SECONDS = 5.0
#: XAPI takes requests of 300 KiB (``http_limit_max_rpc_size``); a reference has a hundred bytes in them.
_MAX_REFS = 2000


class Api:
    """XAPI's messages, on one session."""

    def __init__(self, connection: KeptConnection, settings: XenSettings) -> None:
        self._connection = connection
        #: Time limit for one message.
        self.limit_seconds = settings.call_timeout_seconds
        self.session = ""
        #: Whether the session has answered since the pool last lent it.
        self.is_proven = False
        self._speaks_json = True

    def log_in(self, credentials: Credentials, limit_seconds: float) -> None:
        """Begin a session.

        :raises XenAPI.Failure: XAPI refuses; SESSION_AUTHENTICATION_FAILED above all, or HOST_IS_SLAVE
        """
        parameters = (credentials.username, credentials.password, _API_VERSION, ORIGINATOR)
        self.session = self._send_xml("session.login_with_password", parameters, limit_seconds)
        self.is_proven = True

    def log_out(self) -> None:
        """End the session and close the connection.

        :raises SimplestackError: the host cannot be told; the session stays until it has been idle for a day
        """
        try:
            if self.session:
                with contextlib.suppress(XenAPI.Failure):  # the host has forgotten the session already
                    self._send_xml("session.logout", (self.session,), _LOGOUT_SECONDS)
        finally:
            self._connection.close()

    @property
    def xenapi(self) -> Messages:
        """The messages that change something: ``xenapi.VM.add_tags(ref, name)``, which is `send`."""
        return Messages(self.send)

    def send(self, message: str, *parameters: Any) -> Any:
        """Send a message that changes something and return its answer, as XML-RPC has it.

        :raises XenAPI.Failure: XAPI refuses
        :raises HypervisorError: the connection broke; whether the change was made is unknown
        :raises HypervisorTimeout: there is no answer in time
        """
        with self._on_session(message):
            return self._send_xml(message, (self.session, *parameters), self._message_limit())

    def read(self, kind: type[T], message: str, *parameters: Any, limit_seconds: float | None = None) -> T:
        """Send a message that changes nothing and return its answer as what it is.

        :param kind: the type of the answer
        :raises XenAPI.Failure: XAPI refuses
        :raises HypervisorUnavailable: the connection broke, twice
        """
        return self._read(kind, message, parameters, limit_seconds=limit_seconds)

    def read_all(self, kind: type[R], class_name: str) -> dict[str, R]:
        """Return all objects of a class, by reference: one round trip.

        :param kind: the record; members that it has not are left out as early as possible
        """
        answer: type[dict[str, R]] = dict[str, kind]  # type: ignore[valid-type]  # a type made of an argument
        wanted = frozenset(kind.__struct_encode_fields__)
        return self._read(answer, f"{class_name}.get_all_records", (), wanted=wanted)

    def read_some(self, kind: type[R], class_name: str, refs: Iterable[str]) -> dict[str, R]:
        """Return some objects of a class, by reference: one round trip. Those that are gone are left out."""
        found = self.read_mixed({class_name: refs})
        return {ref: record for ref, record in found.items() if isinstance(record, kind)}

    def read_mixed(self, refs: "dict[str, Iterable[str]]") -> dict[str, Record]:
        """Return some objects of several classes, by reference: one round trip for each 2,000 of them.

        ``event.from`` with an empty token tells of all that is there already.

        :param refs: references by class
        """
        wanted = [f"{name}/{ref}" for name, some in refs.items() for ref in some if ref != NULL]
        found: dict[str, Record] = {}
        for begin in range(0, len(wanted), _MAX_REFS):
            batch = self.read(Batch, "event.from", wanted[begin : begin + _MAX_REFS], "", 0.0)
            found |= {event.ref: event.snapshot for event in batch.events if event.snapshot is not None}
        return found

    def _read(
        self,
        kind: type[T],
        message: str,
        parameters: tuple[Any, ...],
        *,
        limit_seconds: float | None = None,
        wanted: frozenset[str] | None = None,
    ) -> T:
        """Read by JSON-RPC where the host has it, else by XML-RPC.

        :param wanted: the members of records that matter, of an answer that is a map of records
        """
        limit = self._message_limit() if limit_seconds is None else limit_seconds
        parameters = (self.session, *parameters)
        with self._on_session(message):
            if self._speaks_json:
                try:
                    return self._send_json(kind, message, parameters, limit)
                except json_rpc.NoJsonRpc:
                    self._speaks_json = False
            value = self._send_xml(message, parameters, limit, wanted=wanted)
        return _converted(value, kind)

    def _message_limit(self) -> float:
        """Return the time limit for one message of the operation, or of undoing it when its time is up."""
        return min(self.limit_seconds, max(time_left_seconds(), _UNDO_SECONDS))

    def _send_json(self, kind: type[T], message: str, parameters: tuple[Any, ...], limit_seconds: float) -> T:
        return self._connection.post(
            json_rpc.PATH,
            json_rpc.write_call(message, parameters),
            json_rpc.CONTENT_TYPE,
            lambda response: json_rpc.read_answer(response, kind),
            message=message,
            limit_seconds=limit_seconds,
        )

    def _send_xml(
        self,
        message: str,
        parameters: tuple[Any, ...],
        limit_seconds: float,
        *,
        wanted: frozenset[str] | None = None,
    ) -> Any:
        return self._connection.post(
            xml_rpc.PATH,
            xml_rpc.write_call(message, parameters),
            xml_rpc.CONTENT_TYPE,
            lambda response: xml_rpc.read_answer(response, wanted),
            message=message,
            limit_seconds=limit_seconds,
        )

    @contextlib.contextmanager
    def _on_session(self, message: str) -> Iterator[None]:
        """Send a message with the session, which XAPI may have forgotten.

        Nor is a session of use whose host is no longer the pool's master.

        :raises SessionExpired: it has, and this was the first message since the pool lent the session
        :raises HypervisorUnavailable: it has, in the middle of an operation
        """
        try:
            yield
        except XenAPI.Failure as failure:
            if failure.details[0] not in ("SESSION_INVALID", "HOST_IS_SLAVE"):
                self.is_proven = True
                raise XenAPI.Failure(
                    [part.replace(self.session, "(session)") for part in failure.details]
                ) from None
            if not self.is_proven:
                raise SessionExpired("XAPI has ended the session, and the new one, too") from None
            raise HypervisorUnavailable(f"XAPI ended the session before {message}") from None
        self.is_proven = True


def _converted(value: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        _log.warning("XAPI's response does not have the types of its data model: %s", error)
        raise HypervisorError(
            "XAPI sent a value of another type than its data model says: the service's log says where"
        ) from None
