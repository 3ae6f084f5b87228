"""What all tests of a run share: the host, the clients, and the guests that they create."""

import itertools
import secrets
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.marks import hooks_of
from simplestack.conformance.options import Options
from simplestack.conformance.service import Service
from simplestack.conformance.stack_client import StackClient

T = TypeVar("T")

#: Prefix of the names of everything that the kit creates.
PREFIX = "simplestack-kit-"
#: Size of a disk of the kit in GiB. A disk that is left behind is visible in the storages.
DISK_GIB = 1
_POLL_SECONDS = 0.2


class Kit:
    """A run against a host."""

    def __init__(self, options: Options) -> None:
        """Load the plugin. The first test connects to the host."""
        self.options = options
        self.run = f"{PREFIX}{secrets.token_hex(3)}"
        self._numbers = itertools.count(1)
        #: Guests that the kit has created and not yet deleted.
        self.guests: dict[str, None] = {}
        #: IDs of guests and templates that were on the host before the run. The kit never deletes them.
        self.existing = {guest for guest in (options.guest, options.template) if guest is not None}
        #: Networks that stay on the host, since no operation removes them.
        self.lasting: list[str] = []
        self._service: Service | None = None
        self.stack = StackClient(options, options.password, self._made)
        self.hypervisor = self.stack.stack.hypervisor.name

    def _made(self, guest_id: str) -> None:
        assert guest_id not in self.existing, (
            f"the plugin returned {guest_id} as a new guest, but this guest was on the host before the run"
        )
        self.guests[guest_id] = None

    @cached_property
    def http(self) -> HttpClient:
        """The client for HTTP. The service starts with its first use."""
        self._service = Service(self.options.config)
        return HttpClient(self.options, self._service.url, self.options.password, self._made)

    def client(self, way: str) -> Client:
        """Return the client for ``stack`` or ``http``."""
        return self.stack if way == "stack" else self.http

    def has(self, name: str) -> bool:
        """Return whether the plugin implements a hook, or all hooks of an operation."""
        return not self.lacks(name)

    def lacks(self, *names: str) -> list[str]:
        """Return the hooks that these operations and hooks need and the plugin does not implement."""
        hypervisor = self.stack.stack.hypervisor
        return [hook for name in names for hook in hooks_of(name) if not hypervisor.implements(hook)]

    def supports(self, hook: str, field: str) -> bool:
        """Return whether the plugin supports an optional field of a hook."""
        return field in self.stack.stack.hypervisor.optional_fields[hook]

    def require(self, *names: str) -> None:
        """Skip the test unless the plugin implements all of these hooks and operations."""
        lacking = self.lacks(*names)
        if lacking:
            pytest.skip(f"{self.hypervisor} does not implement {', '.join(lacking)}")

    def name(self) -> str:
        """Return an unused name."""
        return f"{self.run}-{next(self._numbers)}"

    def body(self, **more: Any) -> dict[str, Any]:
        """Return the request body for a small guest with one empty disk."""
        made = {"name": self.name(), "memory": self.options.memory, "disks": [{"size": DISK_GIB}]}
        if self.options.storage is not None:
            made["storage"] = self.options.storage
        if self.options.image is None and self.options.template is not None:
            made["template"] = self.options.template  # the host may only create guests from templates
        return made | more

    def make(self, client: Client, **more: Any) -> Any:
        """Create a guest and return it. It is deleted after the test."""
        self.require("guest_create")
        return client.do("guest_create", body=self.body(**more))

    def make_bootable(self, client: Client, **more: Any) -> Any:
        """Create a guest with an operating system."""
        if self.options.image is None:
            return self.make(client, **more)
        return self.make(client, image=self.options.image, **more)

    @cached_property
    def networks(self) -> list[str]:
        """The names of two networks, or of one if the host has no second."""
        named = [name for name in (self.options.network, self.options.other_network) if name is not None]
        if len(named) < 2 and self.has("network_list"):
            listed = [network["name_label"] for network in self.stack.do("network_list")]
            named += [name for name in listed if name not in named and not name.startswith(PREFIX)]
        return named[:2]

    def bring(self, client: Client, guest_id: str, wanted: str) -> None:
        """Bring a guest into a power state."""
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
        """Retry a request to a guest's operating system until it has booted and follows the request."""
        deadline = time.monotonic() + self.options.patience_seconds
        while True:
            try:
                return attempt()
            except ErrorResponse as error:
                if error.name not in ("Busy", "HypervisorTimeout") or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def clean(self, keep: set[str] | None = None) -> list[str]:
        """Delete the kit's guests except `keep`. Return a line for each guest that could not be deleted."""
        left = []
        for guest_id in [guest for guest in self.guests if guest not in (keep or set())]:
            try:
                self._remove(guest_id)
            except (ErrorResponse, AssertionError) as error:
                left.append(f"guest {guest_id} could not be deleted: {error}")
            del self.guests[guest_id]
        return left

    def _remove(self, guest_id: str) -> None:
        try:
            if self.has("guest_shutdown"):
                self.bring(self.stack, guest_id, "STOPPED")
            self.stack.do("guest_delete", guest_id)
        except ErrorResponse as error:
            if error.name != "EntityNotFound":
                raise

    def close(self) -> list[str]:
        """Stop the service. Return a line if it did not end normally."""
        if self._service is None:
            return []
        status = self._service.stop()
        return [f"the service ended with exit status {status} after SIGTERM"] if status else []

    def service_log(self) -> str:
        """Return the service's log, or an empty string if it was not started."""
        return "" if self._service is None else self._service.log()

    def image_file(self, folder: Path) -> Path:
        """Return an image to import: the one of ``--image-file``, or an export of a new guest."""
        if self.options.image_file is not None:
            return self.options.image_file
        file = folder / "kit-image"
        guest = self.make_bootable(self.stack)
        self.stack.export(guest["id"], file)
        return file
