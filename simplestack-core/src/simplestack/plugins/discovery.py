"""Loading plugins one at a time: a broken one must not stop the others.

pluggy's own loader stops at the first import that fails, and lets one distribution take another's name.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from simplestack.config.settings import PLUGIN_TIMEOUT_SECONDS
from simplestack.plugins.compatibility import IncompatibleCore, check_core_requirement
from simplestack.plugins.containment import PluginCode
from simplestack.plugins.description_checks import check_description
from simplestack.plugins.entry_points import HYPERVISOR_GROUP, SERVICE_GROUP, Installed, find_installed
from simplestack.plugins.errors import LoadFailure, PluginFault
from simplestack.plugins.hypervisor import Hypervisor, make_hypervisor
from simplestack.plugins.imports import load_object
from simplestack.plugins.service_checks import check_service_description
from simplestack.plugins.service_description import ServicePlugin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DescribedService:
    """A service plugin whose description passed its checks. It has no settings yet, and no hooks."""

    plugin: ServicePlugin[Any]
    installed: Installed


def load_hypervisors(
    enabled: Collection[str] | None, limit_seconds: float = PLUGIN_TIMEOUT_SECONDS
) -> tuple[list[Hypervisor], list[LoadFailure]]:
    """Load the installed hypervisor plugins.

    :param enabled: names of those to load, so that nothing else is even imported; None loads all
    :param limit_seconds: time limit for each step of loading one
    """
    hypervisors, failures = _load_each(HYPERVISOR_GROUP, enabled, limit_seconds, _load_hypervisor)
    return _without_clashes(hypervisors, failures)


def load_services(
    enabled: Collection[str] | None, limit_seconds: float = PLUGIN_TIMEOUT_SECONDS
) -> tuple[list[DescribedService], list[LoadFailure]]:
    """Load the descriptions of the installed service plugins.

    :param enabled: names of those to load; None loads all
    :param limit_seconds: time limit for each step of loading one
    """
    return _load_each(SERVICE_GROUP, enabled, limit_seconds, _load_service)


def _load_each(
    group: str,
    enabled: Collection[str] | None,
    limit_seconds: float,
    load: Callable[[Installed, PluginCode], T],
) -> tuple[list[T], list[LoadFailure]]:
    found, failures = find_installed(group)
    loaded: list[T] = []
    by_name: defaultdict[str, list[Installed]] = defaultdict(list)
    for installed in found:
        if enabled is None or installed.name in enabled:
            by_name[installed.name].append(installed)
    for claimants in by_name.values():
        installed = claimants[0]
        if len(claimants) > 1:
            names = " and ".join(f"{its.distribution} {its.version}" for its in claimants)
            reason = f"{names} both bring a plugin of this name, so neither is used; uninstall one"
            failures.append(installed.failure(reason))
            continue
        try:
            code = installed.code(limit_seconds)
            code.run("reading its metadata", lambda: check_core_requirement(installed.point.dist))  # noqa: B023  called at once
            loaded.append(load(installed, code))
        except IncompatibleCore as error:
            failures.append(installed.failure(str(error), error.remedy))
        except PluginFault as error:
            failures.append(installed.failure(str(error)))
    return loaded, failures


def _load_hypervisor(installed: Installed, code: PluginCode) -> Hypervisor:
    plugin = load_object(installed, code)
    return code.run("checking it", lambda: _checked(plugin, installed))


def _checked(plugin: Any, installed: Installed) -> Hypervisor:
    description = check_description(plugin, installed.point.value, installed.name)
    return make_hypervisor(description, installed.distribution, installed.version)


def _load_service(installed: Installed, code: PluginCode) -> DescribedService:
    found = load_object(installed, code)
    place, name = installed.point.value, installed.name
    plugin = code.run("checking it", lambda: check_service_description(found, place, name))
    return DescribedService(plugin, installed)


def _without_clashes(
    hypervisors: list[Hypervisor], failures: list[LoadFailure]
) -> tuple[list[Hypervisor], list[LoadFailure]]:
    """Drop a plugin whose alias is the name or the alias of one that comes before it."""
    words: dict[str, str] = {hypervisor.name: hypervisor.name for hypervisor in hypervisors}
    kept: list[Hypervisor] = []
    for hypervisor in hypervisors:
        taken = [alias for alias in hypervisor.plugin.aliases if alias in words]
        if taken:
            reason = f"its alias {taken[0]!r} belongs to plugin {words[taken[0]]!r}; uninstall one"
            failures.append(LoadFailure(hypervisor.name, hypervisor.distribution, hypervisor.version, reason))
            continue
        words.update(dict.fromkeys(hypervisor.plugin.aliases, hypervisor.name))
        kept.append(hypervisor)
    return kept, failures
