"""The settings of a hypervisor: those in ``[hypervisors.NAME]``, and those of hosts that have their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.config.settings import HypervisorSettings
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.plugin_settings import make_settings
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
    kind: type[HypervisorSettings] = hypervisor.plugin.settings
    general = make_settings(raw, kind, f"hypervisors.{name}", code)
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
        by_host[host.lower().strip("[]")] = make_settings(merged, kind, place, code)
    try:
        return HostSettings(general, AllowList(allowed), by_host)
    except ValueError as error:
        raise SettingsError(f"hypervisors.{name}.allowed_hosts: {error}") from None
