"""The log on standard error: all lines in one format, with one line for each record in JSON."""

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger
from pythonjsonlogger.json import JsonFormatter

from simplestack.entities.call_context import current_run
from simplestack.wording import printable

_log = logging.getLogger("simplestack.server")
#: Before each line of a traceback: none of them looks like a line of its own, whatever the error's text is.
_INDENT = "  "
_FIELDS = {
    "asctime": "time",
    "levelname": "level",
    "name": "logger",
    "process": "process",
    "message": "message",
    "exc_info": "exception",
    "stack_info": "stack",
}


def set_up_logging(level: str, log_format: str) -> None:
    """Write the log of this process and of its children to standard error; the audit log has standard output.

    :param level: minimum level
    :param log_format: ``text`` or ``json``
    """
    logging.captureWarnings(capture=True)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_add_request_id)
    handler.setFormatter(_Text() if log_format == "text" else _Json())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    threading.excepthook = _log_thread_error
    sys.unraisablehook = _log_unraisable_error


class GunicornLogger(Logger):
    """Gunicorn's logger, whose lines go to the service's log."""

    def setup(self, cfg: Config) -> None:
        """Set the level. Gunicorn calls this at the start and when it reloads."""
        self.error_log = logging.getLogger("gunicorn")  # "gunicorn.error" is its name for lines of any level
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def _add_request_id(record: logging.LogRecord) -> bool:
    """Add the ID of the request that this thread handles, also to lines of plugins and of their libraries."""
    run = current_run.get()
    if run is not None and not hasattr(record, "request_id"):
        record.request_id = run.call.context.request_id
    return True


def _time(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return f"{time.removesuffix('+00:00')}Z"


class _Text(logging.Formatter):
    """``TIME LEVEL LOGGER[PROCESS]: MESSAGE``, and tracebacks below it, indented."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage().rstrip()
        head = f"{_time(record)} {record.levelname} {record.name}[{record.process}]: {message}"
        identity = getattr(record, "request_id", None)
        if identity is not None and identity not in message:
            head += f" (request {identity})"
        below = [self.formatException(record.exc_info)] if record.exc_info else []
        below += [self.formatStack(record.stack_info)] if record.stack_info else []
        lines = [_INDENT + printable(line) for text in below for line in text.split("\n")]
        return "\n".join((printable(head), *lines))


_dumps = partial(json.dumps, separators=(",", ":"))


class _Json(JsonFormatter):
    """An object with the fields ``time``, ``level``, ``logger``, ``process``, ``message`` and others."""

    def __init__(self) -> None:
        # `stack_info` and `exc_info` are added where a record has them.
        names = [name for name in _FIELDS if not name.endswith("_info")]
        super().__init__(names, rename_fields=_FIELDS, json_serializer=_dumps)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802  logging's
        return _time(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return log_data | {"level": log_data["level"].lower()}


def _log_thread_error(args: threading.ExceptHookArgs) -> None:
    """Log an error that ended a thread: Python's own lines would have another format."""
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    name = args.thread.name if args.thread else "?"
    _log.error("a thread ended: %s", name, exc_info=args.exc_value)


def _log_unraisable_error(args: Any) -> None:
    """Log an error that nothing can handle, such as one in ``__del__``."""
    what = args.err_msg or "Exception ignored in"
    owner = getattr(args.object, "__qualname__", type(args.object).__name__)
    _log.error("%s: %s", what, owner, exc_info=args.exc_value)
