"""The operations as Python methods, without HTTP, for scripts and tests."""

import atexit
import functools
import inspect
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from simplestack.config.load import load_configuration
from simplestack.dispatch.call import make_call
from simplestack.dispatch.dispatcher import LOGOUT_LIMIT_SECONDS, Dispatcher
from simplestack.entities.call_context import CallContext
from simplestack.entities.cloud_init import CloudInit
from simplestack.entities.guest import Guest, GuestImport
from simplestack.entities.texts import check_texts
from simplestack.entities.transfer import ImportStream
from simplestack.hookspecs import (
    disks,
    guests,
    hosts,
    interfaces,
    media,
    networks,
    pools,
    power,
    snapshots,
    storages,
    tags,
    transfer,
)
from simplestack.identity.credentials import Credentials
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.registry import load_registry
from simplestack.sessions.targets import parse_target

P = ParamSpec("P")
R = TypeVar("R")


def _operation(spec: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate["Stack", P], R]:
    """Return a method with the parameters of a hookspec, without the session."""
    _, *parameters = inspect.signature(spec).parameters.values()
    signature = inspect.Signature(parameters)

    def method(stack: "Stack", /, *args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        return stack.call(spec.__name__, bound.arguments)  # type: ignore[no-any-return]  # checked by core

    functools.update_wrapper(method, spec)
    return method


_guest_list = _operation(guests.guest_list)
_guest_clone = _operation(guests.guest_clone)
_guest_import = _operation(transfer.guest_import)


class Stack:
    """One host of one hypervisor.

    .. code-block:: python

        with Stack("mock", "demo", "admin", "secret") as stack:
            for guest in stack.guest_list():
                print(guest.id, guest.name)

    Each hook of :mod:`simplestack.hookspecs` is a method. The methods take and return structs, and raise
    :class:`~simplestack.SimplestackError`. All stacks of a process share a pool of sessions, which are logged
    out when the process exits.
    """

    def __init__(
        self,
        hypervisor: str,
        host: str,
        username: str,
        password: str,
        *,
        config: str | Path | None = None,
    ) -> None:
        """Load the plugin. The first call connects to the host.

        :param hypervisor: name or alias of an installed plugin
        :param host: ``name[:port]``
        :param config: TOML file with settings. Default: the file that ``SIMPLESTACK_CONFIG`` names
        :raises SettingsError: a setting is invalid
        :raises HypervisorNotFound: no plugin has this name
        :raises InvalidArguments: `host` is not a valid host
        :raises Unauthorized: the user name or the password has half of a surrogate pair
        """
        self._dispatcher = _dispatcher(None if config is None else str(config))
        plugin = self._dispatcher.hypervisor(hypervisor)
        target = parse_target(host)
        context = CallContext(hypervisor=plugin.name, host=str(target), user=username, request_id="-")
        self._call = make_call(context, target, Credentials(username, password))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Log out the idle sessions of this host."""
        self._dispatcher.pool.close_at(self._call.key.place, LOGOUT_LIMIT_SECONDS)

    @property
    def hypervisor(self) -> Hypervisor:
        """The plugin, with its operations, body types and entity types."""
        return self._dispatcher.hypervisor(self._call.context.hypervisor)

    def session_counts(self) -> dict[str, int]:
        """Return the number of ``sessions`` of this process, and of those in use (``busy_sessions``)."""
        return self._dispatcher.pool.counts()

    def call(self, hook: str, arguments: dict[str, Any]) -> Any:
        """Call a hook by name.

        :param arguments: the arguments without the session
        :raises InvalidArguments: an ID or a name is none that a client could send
        """
        check_texts(arguments)
        return self._dispatcher.call(self._call, hook, arguments)

    def guest_list(self, fields: Iterable[str] | None = None) -> list[Guest]:
        """List all guests.

        :param fields: the fields that you need; fewer can be faster. None for all
        """
        known = self.hypervisor.fields.get("guest_list", frozenset())
        wanted = known if fields is None else frozenset(fields)
        return _guest_list(self, wanted)

    def guest_clone(self, guest_id: str, name: str, cloud_init: CloudInit | None = None) -> Guest:
        """Create an independent copy of a stopped guest.

        :param name: display name of the copy
        :param cloud_init: data for cloud-init in the copy
        """
        return _guest_clone(self, guest_id, name, cloud_init)

    def guest_import(
        self,
        stream: ImportStream,
        size: int | None,
        storage_id: str | None,
        description: GuestImport | None = None,
    ) -> Guest:
        """Create a guest from an image.

        :param stream: the bytes of the image
        :param size: the number of bytes; None if it is not known
        :param storage_id: ID or name of the storage for the disks; None lets the plugin choose
        :param description: overrides what the image says of the guest
        """
        return _guest_import(self, stream, size, storage_id, description)

    pool_info = _operation(pools.pool_info)
    host_list = _operation(hosts.host_list)
    host_info = _operation(hosts.host_info)
    storage_list = _operation(storages.storage_list)
    storage_info = _operation(storages.storage_info)
    guest_info = _operation(guests.guest_info)
    guest_create = _operation(guests.guest_create)
    guest_update = _operation(guests.guest_update)
    guest_delete = _operation(guests.guest_delete)
    guest_export = _operation(transfer.guest_export)
    guest_start = _operation(power.guest_start)
    guest_shutdown = _operation(power.guest_shutdown)
    guest_suspend = _operation(power.guest_suspend)
    guest_resume = _operation(power.guest_resume)
    guest_reboot = _operation(power.guest_reboot)
    disk_list = _operation(disks.disk_list)
    disk_create = _operation(disks.disk_create)
    disk_info = _operation(disks.disk_info)
    disk_update = _operation(disks.disk_update)
    disk_delete = _operation(disks.disk_delete)
    media_info = _operation(media.media_info)
    media_mount = _operation(media.media_mount)
    media_unmount = _operation(media.media_unmount)
    network_list = _operation(networks.network_list)
    network_info = _operation(networks.network_info)
    network_vlan_create = _operation(networks.network_vlan_create)
    network_interface_list = _operation(interfaces.network_interface_list)
    network_interface_create = _operation(interfaces.network_interface_create)
    network_interface_info = _operation(interfaces.network_interface_info)
    network_interface_update = _operation(interfaces.network_interface_update)
    network_interface_delete = _operation(interfaces.network_interface_delete)
    snapshot_list = _operation(snapshots.snapshot_list)
    snapshot_create = _operation(snapshots.snapshot_create)
    snapshot_info = _operation(snapshots.snapshot_info)
    snapshot_revert = _operation(snapshots.snapshot_revert)
    snapshot_delete = _operation(snapshots.snapshot_delete)
    tag_list = _operation(tags.tag_list)
    tag_create = _operation(tags.tag_create)
    tag_delete = _operation(tags.tag_delete)


_LOADING = threading.Lock()


def _dispatcher(config: str | None) -> Dispatcher:
    with _LOADING:
        return _load(config)


@functools.cache
def _load(config: str | None) -> Dispatcher:
    """Load plugins and settings once for each file, so that all stacks of a process share sessions."""
    configuration = load_configuration(None if config is None else Path(config))
    server = configuration.server
    registry = load_registry(configuration)
    registry.log_failures()
    registry.check_services()
    dispatcher = Dispatcher(
        registry, max_sessions=server.max_sessions, threads=None, audit=False, trace=server.trace_hooks
    )
    atexit.register(dispatcher.close)
    return dispatcher
