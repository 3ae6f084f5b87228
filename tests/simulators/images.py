"""What clients that move images have in common."""

import http.client
from collections.abc import Callable
from typing import Any

from support.service import wait_for

MIB = 1024**2

Ask = Callable[..., tuple[int, dict[str, str], bytes]]
Upload = Callable[..., http.client.HTTPSConnection]


def task_of(session: Any) -> str:
    ref: str = session.xenapi.task.create("move", "an image")
    return ref


def record_of(session: Any, task: str) -> dict[str, Any]:
    """Wait for a task to end."""
    wait_for(lambda: session.xenapi.task.get_status(task) != "pending", what="the task to end")
    record: dict[str, Any] = session.xenapi.task.get_record(task)
    return record


def everything(session: Any) -> dict[str, list[str]]:
    classes = ("VM", "VM_metrics", "VDI", "VBD", "VIF")
    return {name: sorted(getattr(session.xenapi, name).get_all()) for name in classes}
