"""Load the service plugins with their settings."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.discovery import DescribedService, load_services
from simplestack.plugins.errors import LoadFailure, PluginFault
from simplestack.plugins.plugin_settings import make_settings, settings_warnings
from simplestack.plugins.service_checks import checked_hooks


@dataclass(frozen=True, slots=True)
class Service:
    """A service plugin in use."""

    name: str
    distribution: str
    version: str
    #: What has its hooks as attributes, and is registered with pluggy.
    hooks: Any
    title: str = ""
    #: The import package of its code.
    package: str = ""

    @property
    def wraps_operations(self) -> bool:
        """Whether it wraps ``operation_call``."""
        return hasattr(self.hooks, "operation_call")

    def code(self, limit_seconds: float) -> PluginCode:
        """Return what runs the plugin's code."""
        return PluginCode(self.name, self.distribution, self.version, self.package, limit_seconds)

    def failure(self, reason: str) -> LoadFailure:
        """Return the failure to use it."""
        return LoadFailure(self.name, self.distribution, self.version, reason)


@dataclass(frozen=True, slots=True)
class LoadedServices:
    """The result of loading the service plugins."""

    in_use: tuple[Service, ...]
    #: Those that are installed, and off because the settings do not name them.
    off: tuple[DescribedService, ...]
    failures: tuple[LoadFailure, ...]
    warning_lines: tuple[str, ...]
    #: What is wrong in their settings.
    problems: tuple[str, ...]


def load_services_in_use(configuration: Configuration) -> LoadedServices:
    """Load the service plugins that the settings enable, with their own settings."""
    enabled = configuration.server.services
    described, failures = load_services(enabled, configuration.server.plugin_timeout_seconds)
    in_use: list[Service] = []
    off: list[DescribedService] = []
    warning_lines: list[str] = []
    problems: list[str] = []
    for found in described:
        name = found.installed.name
        if enabled is None and found.plugin.opt_in:
            off.append(found)
            if name in configuration.services:
                warning_lines.append(f"[services.{name}] has no effect: add {name!r} to server.services")
            continue
        try:
            service, lines = _started(found, configuration)
        except SettingsError as error:
            problems += error.problems
            continue
        except PluginFault as fault:
            failures.append(found.installed.failure(str(fault)))
            continue
        in_use.append(service)
        warning_lines += [f"service {name}: {line}" for line in lines]
    return LoadedServices(tuple(in_use), tuple(off), tuple(failures), tuple(warning_lines), tuple(problems))


def _started(found: DescribedService, configuration: Configuration) -> tuple[Service, list[str]]:
    """Return a service plugin with its hooks, and its warnings.

    :raises SettingsError: settings are wrong
    :raises PluginFault: the plugin's own code, or what it made, is wrong
    """
    plugin, installed = found.plugin, found.installed
    code = installed.code(configuration.server.plugin_timeout_seconds)
    raw = configuration.services.get(plugin.name, {})
    table = make_settings(raw, plugin.settings, f"services.{plugin.name}", code)
    settings = table.values
    if table.problems or settings is None:
        raise SettingsError(*table.problems)
    lines = settings_warnings(plugin.warnings, settings, code)
    made = code.run("make(settings)", partial(plugin.make, settings))
    hooks = code.run("checking what make(settings) returned", partial(checked_hooks, made))
    where = installed.distribution, installed.version
    return Service(plugin.name, *where, hooks, plugin.title, code.package), lines
