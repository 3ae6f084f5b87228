"""What a run runs on: two simulated pools, a service that reaches them, and the mock in it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak.pools import EXPORT_BYTES, Pool, running
from benchmarks.soak.schedule import Planned
from simulators.tls import make_trust
from support.distributions import install
from support.service import Service, running_service

#: As long as clients wait: whoever has not been answered by then is gone.
_GRACEFUL_SECONDS = 20
_GUESTS = 20
_CONFIG = """
[server]
graceful_timeout_seconds = {graceful_seconds}
[hypervisors.mock]
content_bytes = {content_bytes}
seed_guests = {guests}
[hypervisors.xen]
allowed_hosts = ["127.0.0.1"]
tls_ca_file = "{ca_file}"
"""
_HANGING_PLUGIN = """
def connect(target, credentials, settings):
    return target

@hookimpl
def guest_list(session):
    time.sleep({seconds})
    return []

plugin = HypervisorPlugin(name="hanging", title="Hangs", connect=connect, disconnect=lambda session: None,
                          hooks=(me,), settings=HypervisorSettings)
"""
#: It hangs for so many times as long as its phase takes: longer than any client waits.
_HANGING_TIMES = 2
HANGING_PATH = "/hanging/anywhere/guests"


@dataclass(frozen=True)
class Stage:
    """The service, and the pools by the names of their traffic."""

    service: Service
    #: Nothing happens to it.
    calm: Pool
    #: It is killed, stopped, and made to fail.
    faulty: Pool


@contextlib.contextmanager
def set_up(folder: Path, plan: list[Planned]) -> Iterator[Stage]:
    """Run all that a plan needs until the block ends.

    :param folder: where its files go: ``service/service.log`` and ``service/audit.log`` among them
    """
    trust = make_trust(folder / "tls")
    config = _CONFIG.format(
        graceful_seconds=_GRACEFUL_SECONDS,
        content_bytes=EXPORT_BYTES,
        guests=_GUESTS,
        ca_file=trust.ca_file,
    )
    plugins = folder / "plugins"
    for phase in plan:
        if phase.name == "hanging-plugin":
            install(plugins, "hanging", _HANGING_PLUGIN.format(seconds=_HANGING_TIMES * phase.seconds))
    with (
        running(trust, _GUESTS) as calm,
        running(trust, _GUESTS) as faulty,
        running_service(folder / "service", config, plugins=plugins) as service,
    ):
        yield Stage(service, calm, faulty)
