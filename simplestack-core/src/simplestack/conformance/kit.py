"""What all tests of a run share: the target, both ways in, and the guests that they make."""

import itertools
import secrets
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.marks import hooks_of
from simplestack.conformance.options import Options
from simplestack.conformance.refusals import Refusal
from simplestack.conformance.service import Service
from simplestack.conformance.stack_client import StackClient

T = TypeVar("T")

#: All that the kit makes has a name that begins so.
PREFIX = "simplestack-kit-"
#: GiB. Every guest of the kit has so much on disks, so that one left behind shows in the storages.
DISK_GIB = 1
_POLL_SECONDS = 0.2


class Kit:
    """One run against one target."""

    def __init__(self, options: Options) -> None:
        """Load the plugin; nothing is connected to yet."""
        self.options = options
        self.run = f"{PREFIX}{secrets.token_hex(3)}"
        self._numbers = itertools.count(1)
        #: Guests that came into being and were not removed by the kit.
        self.guests: dict[str, None] = {}
        #: What stays on the target, since no operation removes it.
        self.lasting: list[str] = []
        self._service: Service | None = None
        self.stack = StackClient(options, options.password, self._made)
        self.hypervisor = self.stack.stack.hypervisor.name

    def _made(self, guest_id: str) -> None:
        self.guests[guest_id] = None

    @cached_property
    def http(self) -> HttpClient:
        """The way in through HTTP; the service starts when it is first asked for."""
        self._service = Service(self.options.config)
        return HttpClient(self.options, self._service.url, self.options.password, self._made)

    def client(self, way: str) -> Client:
        """Return one of the ways in."""
        return self.stack if way == "stack" else self.http

    def has(self, name: str) -> bool:
        """Tell whether the plugin implements a hook, or all hooks of an operation."""
        return not self.lacks(name)

    def lacks(self, *names: str) -> list[str]:
        """Return the hooks behind these hooks and operations that the plugin does not implement."""
        hypervisor = self.stack.stack.hypervisor
        return [hook for name in names for hook in hooks_of(name) if not hypervisor.implements(hook)]

    def needs(self, *names: str) -> None:
        """Skip the test, unless the plugin implements all of these."""
        lacking = self.lacks(*names)
        if lacking:
            pytest.skip(f"{self.hypervisor} does not implement {', '.join(lacking)}")

    def name(self) -> str:
        """Return a name that nothing has."""
        return f"{self.run}-{next(self._numbers)}"

    def body(self, **more: Any) -> dict[str, Any]:
        """Return the body of a small guest with one empty disk."""
        made = {"name": self.name(), "memory": self.options.memory, "disks": [{"size": DISK_GIB}]}
        if self.options.storage is not None:
            made["storage"] = self.options.storage
        if self.options.image is None and self.options.template is not None:
            made["template"] = self.options.template  # where guests are made in no other way
        return made | more

    def make(self, client: Client, **more: Any) -> Any:
        """Make a guest and return it; it is removed after the test."""
        self.needs("guest_create")
        return client.do("guest_create", body=self.body(**more))

    def make_bootable(self, client: Client, **more: Any) -> Any:
        """Make a guest that has an operating system."""
        if self.options.image is None:
            return self.make(client, **more)
        return self.make(client, image=self.options.image, **more)

    @cached_property
    def networks(self) -> list[str]:
        """The names of two networks, or of one where there is no other."""
        named = [name for name in (self.options.network, self.options.other_network) if name is not None]
        if len(named) < 2 and self.has("network_list"):
            listed = [network["name_label"] for network in self.stack.do("network_list")]
            named += [name for name in listed if name not in named and not name.startswith(PREFIX)]
        return named[:2]

    def bring(self, client: Client, guest_id: str, wanted: str) -> None:
        """Bring a guest into a power state, from whichever it is in."""
        state = client.do("guest_info", guest_id)["state"]
        if state == wanted:
            return
        if wanted == "STOPPED":
            client.do("power_guest", guest_id, body={"state": "force_stop"})
        elif wanted == "STARTED":
            client.do("power_guest", guest_id, body={"state": "start" if state == "STOPPED" else "resume"})
        else:
            self.bring(client, guest_id, "STARTED")
            client.do("power_guest", guest_id, body={"state": "pause"})

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Try what a guest's operating system has to agree to, until it is up and does."""
        deadline = time.monotonic() + self.options.patience_seconds
        while True:
            try:
                return attempt()
            except Refusal as refusal:
                if refusal.name not in ("Busy", "HypervisorTimeout") or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def clean(self, keep: set[str] | None = None) -> list[str]:
        """Remove the guests that were made, but those to keep; return what could not be removed, and why."""
        left = []
        for guest_id in [guest for guest in self.guests if guest not in (keep or set())]:
            try:
                self._remove(guest_id)
            except (Refusal, AssertionError) as error:
                left.append(f"guest {guest_id} could not be removed: {error}")
            del self.guests[guest_id]
        return left

    def _remove(self, guest_id: str) -> None:
        try:
            if self.has("guest_shutdown"):
                self.bring(self.stack, guest_id, "STOPPED")
            self.stack.do("guest_delete", guest_id)
        except Refusal as refusal:
            if refusal.name != "EntityNotFound":
                raise

    def close(self) -> list[str]:
        """Stop the service; return what was wrong with its end."""
        if self._service is None:
            return []
        status = self._service.stop()
        return [f"the service ended with exit status {status} after SIGTERM"] if status else []

    def service_log(self) -> str:
        """Return what the service has logged; nothing where it was not started."""
        return "" if self._service is None else self._service.log()

    def image_file(self, folder: Path) -> Path:
        """Return an image that can be imported: the one given, or an export of a new guest."""
        if self.options.image_file is not None:
            return self.options.image_file
        file = folder / "kit-image"
        guest = self.make_bootable(self.stack)
        self.stack.export(guest["id"], file)
        return file
