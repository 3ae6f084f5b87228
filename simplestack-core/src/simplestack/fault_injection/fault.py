"""Apply a rule to a call: a delay, an error, a hang or a dropped connection, at once or within a stream."""

import errno
import logging
import time
from collections.abc import Iterator

from simplestack import CallContext, HypervisorTimeout, ImportStream, time_left_seconds
from simplestack.fault_injection.file import Faults
from simplestack.fault_injection.rules import Report

_log = logging.getLogger("simplestack.fault_injection")
_POLL_SECONDS = 0.05


class Dropped(ConnectionResetError):
    """Makes the server close the client's connection, without a response or in the middle of one."""

    audit_outcome = "ConnectionDropped"

    def __init__(self, number: int) -> None:
        super().__init__(errno.ECONNRESET, f"rule {number} of fault injection drops the connection")


class Fault:
    """A rule that applies to one call."""

    def __init__(self, report: Report, faults: Faults, operation: str, context: CallContext) -> None:
        self.rule = report.rule
        #: The error that it raised in a stream. The hypervisor plugin may have raised another error instead.
        self.raised: Exception | None = None
        self._number = report.id
        self._faults = faults
        self._operation = operation
        self._context = context

    @property
    def is_in_stream(self) -> bool:
        """Whether it applies within a stream."""
        return self.rule.after_bytes is not None

    def apply(self) -> None:
        """Apply the fault, then continue the call.

        :raises Exception: the error of the rule
        """
        _log.info(
            "request %s: rule %d: %s for %s",
            self._context.request_id,
            self._number,
            self.rule.action,
            self._operation,
        )
        match self.rule.action:
            case "delay":
                self._delay()
            case "error":
                raise self.rule.exception(self._operation, self._number)
            case "drop":
                raise Dropped(self._number)
            case "hang":
                self._hang()

    def cut_import(self, stream: ImportStream) -> ImportStream:
        """Return the stream of an import with the fault in it."""
        return _CutStream(stream, self)

    def cut_export(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes of an export, and apply the fault between them."""
        left: int | None = self.rule.after_bytes
        try:
            for chunk in chunks:
                if left is None or len(chunk) < left:
                    yield chunk
                    left = None if left is None else left - len(chunk)
                    continue
                if left:
                    yield chunk[:left]
                self.apply()
                if chunk[left:]:
                    yield chunk[left:]
                left = None
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _delay(self) -> None:
        left_seconds = time_left_seconds()
        time.sleep(max(0, min(self.rule.delay_seconds, left_seconds)))
        if left_seconds < self.rule.delay_seconds:
            raise self._timeout(left_seconds)

    def _hang(self) -> None:
        limit_seconds = time_left_seconds()
        while self._faults.has(self._number):
            left_seconds = time_left_seconds()
            if left_seconds <= 0:
                raise self._timeout(limit_seconds)
            time.sleep(min(_POLL_SECONDS, left_seconds))

    def _timeout(self, limit_seconds: float) -> HypervisorTimeout:
        shown = f"{limit_seconds:.0f}" if limit_seconds >= 1 else f"{limit_seconds:.1g}"
        return HypervisorTimeout(
            f"{self._context.hypervisor} did not respond within {shown} s; "
            "check whether the operation took effect"
        )


class _CutStream:
    """A client's bytes, with the fault between them."""

    def __init__(self, stream: ImportStream, fault: Fault) -> None:
        self._stream = stream
        self._fault = fault
        #: Number of bytes before the fault; None after it.
        self._left = fault.rule.after_bytes

    def read(self, size: int, /) -> bytes:
        """Read from the client. Like every import, it returns fewer bytes than `size` only at its end."""
        if self._left is None:
            return self._stream.read(size)
        before_size = min(size, self._left)
        before = self._stream.read(before_size) if before_size else b""
        self._left -= len(before)
        if len(before) < before_size or before_size == size:
            return before
        self._left = None
        try:
            self._fault.apply()
        except Exception as error:
            self._fault.raised = error
            raise
        return before + self._stream.read(size - len(before))
