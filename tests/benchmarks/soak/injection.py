"""Faults that are injected at a simulated pool, while it serves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

from benchmarks.soak.pools import Pool

_INTERVAL_SECONDS = 0.25
_TIMES = 2
_FORGET_ATTEMPTS = 5
#: A fault in one of these leaves a session or a task behind that no client could remove.
_SPARED = ("session.logout", "task.destroy", "task.cancel", "task.set_status")
#: These make what only their response names: without it, no client could remove that either.
_MAKERS = ("Async.", "session.", "task.create")
_CODES = (
    ("INTERNAL_ERROR", "injected"),
    ("OTHER_OPERATION_IN_PROGRESS", "VM", "OpaqueRef:NULL"),
    ("SR_FULL", "2", "1"),
    ("HOST_OFFLINE", "OpaqueRef:NULL"),
    ("CANNOT_CONTACT_HOST", "192.0.2.1"),
    ("SESSION_INVALID", "OpaqueRef:NULL"),
    ("A_CODE_THAT_NOBODY_KNOWS", "injected"),
)

#: Makes a fault for a message.
Kind = Callable[[str, Random], dict[str, Any]]


def dropped(message: str, random: Random) -> dict[str, Any]:
    """Close the connection before or after the message has its effect."""
    effects = ["drop before"] if message.startswith(_MAKERS) else ["drop before", "drop after"]
    return {"effect": random.choice(effects)}


def hanging(_message: str, _random: Random) -> dict[str, Any]:
    """Never answer."""
    return {"effect": "hang"}


def failing(_message: str, random: Random) -> dict[str, Any]:
    """Fail with one of XAPI's codes."""
    code, *parameters = random.choice(_CODES)
    return {"code": code, "parameters": parameters}


@contextlib.asynccontextmanager
async def injected(pool: Pool, kind: Kind, random: Random) -> AsyncIterator[None]:
    """Inject faults into messages that the service does send, until the block ends."""
    ended = asyncio.Event()

    async def inject() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):  # the pool is too busy to be told
                seen = await asyncio.to_thread(pool.messages)
                messages = sorted(set(seen).difference(_SPARED))
                if messages:
                    message = random.choice(messages)
                    rule = {"message": message, "times": _TIMES, **kind(message, random)}
                    await asyncio.to_thread(pool.inject, rule)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL_SECONDS):
                    await ended.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(inject())
        try:
            yield
        finally:
            ended.set()  # not cancelled: a fault could be on its way, and come after they are forgotten
    for _ in range(_FORGET_ATTEMPTS):
        with contextlib.suppress(OSError):
            await asyncio.to_thread(pool.forget_faults)
            return
