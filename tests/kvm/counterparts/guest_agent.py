"""A guest agent that says what a test wants: it runs on the host, and the guest only passes bytes on.

The guest of `make-guest-image` joins its agent's port and the port `simplestack.agent`, a unix socket here.
"""

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Returns what goes out in response to a command, or None for silence.
Answer = Callable[[dict[str, Any]], bytes | None]


def channels(path: Path) -> str:
    """Write the <channel> elements of a guest whose agent is played at a path."""
    return (
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        f"<channel type='unix'><source mode='bind' path='{path}'/>"
        "<target type='virtio' name='simplestack.agent'/></channel>"
    )


def reply(value: object) -> bytes:
    """Write a response of the agent's protocol."""
    return json.dumps({"return": value}).encode() + b"\n"


def interfaces(*addresses: object) -> bytes:
    """Write the response to guest-network-get-interfaces: one interface with these addresses."""
    listed = [{"ip-address": text, "ip-address-type": "ipv4", "prefix": 24} for text in addresses]
    return reply([{"name": "eth0", "hardware-address": "52:54:00:00:00:01", "ip-addresses": listed}])


class GuestAgent:
    """Answers at a path, from its start to its end. `answer` may be changed at any time."""

    def __init__(self, path: Path) -> None:
        self.answer: Answer = lambda _: interfaces()
        #: Whether it responds to guest-sync, which libvirt sends before each command.
        self.syncs = True
        #: The commands that came, other than guest-sync.
        self.commands: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                try:
                    sent = self._respond(json.loads(line.lstrip(b"\xff")))
                except ValueError:  # the end of something that libvirt gave up
                    continue
                if sent is None:
                    continue
                try:
                    self._socket.sendall(sent)
                except OSError:  # the test is over
                    return

    def _respond(self, command: dict[str, Any]) -> bytes | None:
        name = str(command.get("execute"))
        if name in ("guest-sync", "guest-sync-delimited"):
            delimiter = b"\xff" if name == "guest-sync-delimited" else b""
            return delimiter + reply(command["arguments"]["id"]) if self.syncs else None
        self.commands.append(name)
        return self.answer(command)
