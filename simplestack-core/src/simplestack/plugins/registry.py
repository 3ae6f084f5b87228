"""The result of loading all plugins with their settings. Nothing of it changes once the service runs."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.config.settings import HypervisorSettings
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.discovery import DescribedService, load_hypervisors
from simplestack.plugins.entry_points import HYPERVISOR_GROUP, SERVICE_GROUP, installed_names
from simplestack.plugins.errors import LoadFailure, PluginFault
from simplestack.plugins.host_settings import HostSettings, read_settings
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.plugins.installing import DISTRIBUTIONS, install_advice
from simplestack.plugins.plugin_settings import settings_warnings
from simplestack.plugins.service_loading import Service, load_services_in_use
from simplestack.plugins.setting_files import FileFindings, check_files
from simplestack.sessions.targets import AllowList
from simplestack.suggestions import did_you_mean

_log = logging.getLogger("simplestack.plugins")

#: First-generation names of hypervisors, where they differ.
_LEGACY_ALIASES = {"qemu": "kvm"}


@dataclass(frozen=True, slots=True)
class Registry:
    """All plugins that are in use, and why others are not."""

    #: By name and by alias.
    hypervisors: Mapping[str, Hypervisor]
    services: tuple[Service, ...]
    failures: tuple[LoadFailure, ...]
    service_failures: tuple[LoadFailure, ...]
    settings: Mapping[str, HostSettings]
    #: What the plugins say about their settings, general and for single hosts.
    warning_lines: tuple[str, ...] = ()
    #: By hypervisor: files in its settings that cannot be read, which it may need for some hosts.
    unreadable_files: tuple[tuple[str, str], ...] = ()
    #: Service plugins that are installed, and off because the settings do not name them.
    services_off: tuple[DescribedService, ...] = ()

    def plugins(self) -> list[Hypervisor]:
        """Return each hypervisor once, sorted by name."""
        return [found for word, found in sorted(self.hypervisors.items()) if word == found.name]

    def settings_at(self, hypervisor: Hypervisor, host: str) -> tuple[HypervisorSettings, AllowList]:
        """Return the settings for a host, and which hosts are allowed."""
        found = self.settings[hypervisor.name]
        return found.by_host.get(host, found.general), found.allowed

    def check_services(self) -> None:
        """Check that every service plugin in use was loaded: without a policy, nothing may be served.

        :raises SettingsError: with all that were not
        """
        if self.service_failures:
            raise SettingsError(
                *(f"service {failure}" for failure in self.service_failures),
                "the service does not start without its service plugins; to leave one out, name the others "
                "in server.services",
            )

    def check_hypervisors(self) -> None:
        """Check that not all hypervisor plugins have failed. The service starts without some of them.

        :raises SettingsError: all have failed
        """
        if self.failures and not self.hypervisors:
            raise SettingsError(
                "no hypervisor plugin could be loaded: the service does not start without any; "
                "`hypervisors = []` in [server] says that none is wanted"
            )

    def log_failures(self) -> None:
        """Log each hypervisor plugin that was not loaded, and each file that cannot be read."""
        for failure in self.failures:
            _log.error("not loaded: %s", failure)
        for _, problem in self.unreadable_files:
            _log.error("%s", problem)

    def warnings(self) -> list[str]:
        """Return what the plugins have to say about their settings, general and for single hosts."""
        return list(self.warning_lines)

    def absent(self) -> list[str]:
        """Return the hypervisors that Simplestack has plugins for which are not installed, sorted by name."""
        return sorted(DISTRIBUTIONS.keys() - set(installed_names(HYPERVISOR_GROUP)))

    def explain_missing(self, word: str) -> str:
        """Say why a word names no hypervisor, and what to do."""
        names = ", ".join(hypervisor.name for hypervisor in self.plugins()) or "none"
        text = f"no hypervisor {word[:63]!r} here; there are: {names}"
        name = _LEGACY_ALIASES.get(word, word)
        for failure in self.failures:
            if failure.name == name:
                remedy = failure.remedy or "`simplestack plugins`, run where the service runs, says why"
                problem = "is installed but could not be loaded"
                return f"the plugin for {word[:63]!r} {problem}: {remedy}; there are: {names}"
        if name in DISTRIBUTIONS:
            problem = "is not installed where the service runs, or its settings leave it out"
            return f"{text}. The plugin {DISTRIBUTIONS[name]} {problem}"
        return f"{text}{did_you_mean(word, self.hypervisors)}"


def load_registry(configuration: Configuration) -> Registry:
    """Load the plugins that the settings enable, with their own settings.

    :raises SettingsError: settings are wrong; it has all problems
    """
    registry, problems = read_registry(configuration)
    if problems:
        raise SettingsError(*problems)
    return registry


def read_registry(configuration: Configuration) -> tuple[Registry, list[str]]:
    """Load the plugins that the settings enable, and return them with all that is wrong in the settings.

    A plugin whose own settings are wrong is left out.
    """
    server = configuration.server
    limit_seconds = server.plugin_timeout_seconds
    hypervisors, failures = load_hypervisors(server.hypervisors, limit_seconds)
    problems = _unknown_names(configuration)
    services = load_services_in_use(configuration)
    problems += services.problems
    in_use: list[Hypervisor] = []
    settings: dict[str, HostSettings] = {}
    warning_lines: list[str] = []
    unreadable_files: list[tuple[str, str]] = []
    for found in hypervisors:
        code = found.code(limit_seconds)
        try:
            own = read_settings(configuration, found, code)
            lines = _warnings(found, own, code)
            in_use.append(found)
        except SettingsError as error:
            problems += error.problems
            continue
        except PluginFault as fault:
            failures.append(LoadFailure(found.name, found.distribution, found.version, str(fault)))
            continue
        settings[found.name] = own
        warning_lines += lines
        files = _checked_files(found.name, own)
        unreadable_files += [(found.name, problem) for problem in files.problems]
        warning_lines += files.warnings
    registry = Registry(
        hypervisors={word: found for found in in_use for word in (found.name, *found.plugin.aliases)},
        services=services.in_use,
        failures=tuple(failures),
        service_failures=services.failures,
        settings=settings,
        warning_lines=(*warning_lines, *services.warning_lines),
        unreadable_files=tuple(unreadable_files),
        services_off=services.off,
    )
    return registry, problems


def _checked_files(name: str, settings: HostSettings) -> FileFindings:
    """Check the files in the settings of a hypervisor, general and for single hosts."""
    place = f"hypervisors.{name}"
    files = check_files(settings.general, place)
    for host, own in settings.by_host.items():
        more = check_files(own, f'{place}.hosts."{host}"', settings.general)
        files.problems.extend(more.problems)
        files.warnings.extend(more.warnings)
    return files


def _warnings(hypervisor: Hypervisor, settings: HostSettings, code: PluginCode) -> list[str]:
    """Return what a plugin says about its settings, general and for single hosts."""
    lines: list[str] = []
    places = {"": settings.general} | {f" at {host}": own for host, own in settings.by_host.items()}
    for place, own in places.items():
        said = settings_warnings(hypervisor.plugin.warnings, own, code)
        lines += [f"{hypervisor.name}{place}: {line}" for line in said]
    return lines


def _unknown_names(configuration: Configuration) -> list[str]:
    """Return a problem for each plugin that the settings name and that is not installed."""
    server = configuration.server
    problems: list[str] = []
    for key, group, names in (
        ("server.hypervisors", HYPERVISOR_GROUP, server.hypervisors or []),
        ("hypervisors", HYPERVISOR_GROUP, configuration.hypervisors),
        ("server.services", SERVICE_GROUP, server.services or []),
        ("services", SERVICE_GROUP, configuration.services),
    ):
        installed = installed_names(group) if names else []  # which reads the metadata of all distributions
        for name in names:
            if name not in installed:
                advice = f"installed are: {', '.join(installed) or 'none'}"
                if group == HYPERVISOR_GROUP and name in DISTRIBUTIONS:
                    advice = install_advice(name)
                problems.append(f"{key}: no plugin {name!r} is installed; {advice}")
    return problems
