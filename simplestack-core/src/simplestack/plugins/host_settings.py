"""The settings of a hypervisor: those in ``[hypervisors.NAME]``, and those of hosts that have their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.config.settings import HypervisorSettings
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.errors import PluginFault
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.sessions.targets import AllowList


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The settings of a hypervisor, and those of the hosts that have their own."""

    general: HypervisorSettings
    allowed: AllowList
    by_host: Mapping[str, HypervisorSettings]


def read_settings(configuration: Configuration, hypervisor: Hypervisor, code: PluginCode) -> HostSettings:
    """Return a hypervisor's settings.

    :raises SettingsError: a value is wrong, or allowed_hosts is missing
    :raises PluginFault: the plugin cannot make its settings of these values, or of its defaults alone
    """
    name = hypervisor.name
    raw = configuration.hypervisors.get(name, {})
    general = _convert(raw, hypervisor, f"hypervisors.{name}", code)
    allowed = general.allowed_hosts
    if allowed is None:
        if configuration.exposed:
            raise SettingsError(
                f"hypervisors.{name}.allowed_hosts is missing: a service that listens on more than loopback "
                'must say which hosts it may connect to (["*"] is all of them)'
            )
        allowed = ["*"]
    by_host = {}
    for host, changes in general.hosts.items():
        merged = {key: value for key, value in raw.items() if key != "hosts"} | changes
        place = f'hypervisors.{name}.hosts."{host}"'
        for unfit in ("hosts", "allowed_hosts"):
            if unfit in changes:
                raise SettingsError(f"{place}.{unfit}: cannot be set for one host")
        by_host[host.lower().strip("[]")] = _convert(merged, hypervisor, place, code)
    try:
        return HostSettings(general, AllowList(allowed), by_host)
    except ValueError as error:
        raise SettingsError(f"hypervisors.{name}.allowed_hosts: {error}") from None


def _convert(raw: dict[str, Any], hypervisor: Hypervisor, place: str, code: PluginCode) -> HypervisorSettings:
    kind: type[HypervisorSettings] = hypervisor.plugin.settings

    def convert() -> HypervisorSettings | msgspec.ValidationError:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            return error

    made = code.run(f"making {kind.__name__}", convert)
    if not isinstance(made, msgspec.ValidationError):
        return made
    error = SettingsError.of(made, place, kind)
    if raw:
        raise error
    # Nobody has set anything for this plugin, which may be installed without being wanted.
    raise PluginFault(f"it cannot be used with its default settings: {error}. Set [{place}]")
