"""The settings of a hypervisor: those in ``[hypervisors.NAME]``, and those of hosts that have their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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

    :raises SettingsError: values are wrong, or allowed_hosts is missing; it has all problems
    :raises PluginFault: the plugin cannot make its settings of these values, or of its defaults alone
    """
    place = f"hypervisors.{hypervisor.name}"
    raw = configuration.hypervisors.get(hypervisor.name, {})
    table = make_settings(raw, hypervisor.plugin.settings, place, code)
    problems = list(table.problems)
    general: HypervisorSettings | None = table.values
    if general is None:
        raise SettingsError(*problems)
    allowed = general.allowed_hosts
    if allowed is None:
        # Without `hypervisors`, which is then a problem, all that are installed are here.
        is_wanted = configuration.server.hypervisors is not None
        if configuration.exposed and is_wanted and "allowed_hosts" not in raw:
            problems.append(
                f"{place}.allowed_hosts is missing: a service that listens on more than loopback "
                'must say which hosts it may connect to (["*"] is all of them)'
            )
        allowed = ["*"]
    problems += [f"{place}.allowed_hosts: {why}" for why in map(_wrong_pattern, allowed) if why]
    by_host = _settings_by_host(general, table.raw, hypervisor, code, problems)
    if problems:
        raise SettingsError(*problems)
    return HostSettings(general, AllowList(allowed), by_host)


def _settings_by_host(
    general: HypervisorSettings,
    raw: dict[str, Any],
    hypervisor: Hypervisor,
    code: PluginCode,
    problems: list[str],
) -> dict[str, HypervisorSettings]:
    """Return the settings of the hosts that have their own.

    :param raw: the table that the general settings were made of
    """
    by_host = {}
    shared = {key: value for key, value in raw.items() if key != "hosts"}
    for host, changes in general.hosts.items():
        place = f'hypervisors.{hypervisor.name}.hosts."{host}"'
        unfit = [key for key in ("hosts", "allowed_hosts") if key in changes]
        problems += [f"{place}.{key}: cannot be set for one host" for key in unfit]
        own = {key: value for key, value in changes.items() if key not in unfit}
        table = make_settings(shared | own, hypervisor.plugin.settings, place, code)
        problems += table.problems
        if table.values is not None:
            by_host[host.lower().strip("[]")] = table.values
    return by_host


def _wrong_pattern(pattern: str) -> str | None:
    """Return what is wrong with a pattern of an allow-list."""
    try:
        AllowList([pattern])
    except ValueError as error:
        return str(error)
    return None
