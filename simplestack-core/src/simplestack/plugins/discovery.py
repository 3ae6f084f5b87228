"""Finding plugins by their entry points, one at a time: a broken one must not stop the others.

pluggy's own loader stops at the first import that fails, and lets one distribution take another's name.
"""

import importlib.metadata
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from simplestack.plugins.compatibility import IncompatibleCore, check_core_requirement
from simplestack.plugins.description import HypervisorPlugin
from simplestack.plugins.diagnosis import PluginFault, check_service
from simplestack.plugins.hypervisor import Hypervisor, make_hypervisor

HYPERVISOR_GROUP = "simplestack.hypervisors"
SERVICE_GROUP = "simplestack.services"
_NAME = re.compile(r"\A[a-z][a-z0-9-]{0,62}\Z")
#: First segments of paths outside the base path.
_RESERVED_NAMES = frozenset({"healthz", "metrics", "openapi.json", "docs"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A plugin that is installed and cannot be used."""

    name: str
    distribution: str
    version: str
    #: For the operator: it may quote exceptions.
    reason: str
    #: What clients may be told to have done about it; empty where the reason is not for them.
    remedy: str = ""

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Service:
    """A service plugin: what wraps every operation."""

    name: str
    distribution: str
    version: str
    module: Any


def installed_names(group: str) -> list[str]:
    """Return the names of all installed plugins of a group, without importing any."""
    return sorted({entry_point.name for entry_point in _entry_points(group)})


def load_hypervisors(enabled: Collection[str] | None) -> tuple[list[Hypervisor], list[LoadFailure]]:
    """Load the installed hypervisor plugins.

    :param enabled: names of those to load, so that nothing else is even imported; None loads all
    """
    points = [point for point in _entry_points(HYPERVISOR_GROUP) if enabled is None or point.name in enabled]
    hypervisors, failures = _load_each(points, _load_hypervisor)
    return _without_clashes(hypervisors, failures)


def load_services(enabled: Collection[str] | None) -> tuple[list[Service], list[LoadFailure]]:
    """Load the installed service plugins.

    :param enabled: names of those to load; None loads all
    """
    points = [point for point in _entry_points(SERVICE_GROUP) if enabled is None or point.name in enabled]
    return _load_each(points, _load_service)


def _entry_points(group: str) -> list[EntryPoint]:
    return sorted(
        importlib.metadata.entry_points(group=group), key=lambda point: (point.name, _origin(point))
    )


def _origin(point: EntryPoint) -> tuple[str, str]:
    return ("?", "?") if point.dist is None else (point.dist.name, point.dist.version)


def _load_each(
    points: Iterable[EntryPoint], load: Callable[[EntryPoint], T]
) -> tuple[list[T], list[LoadFailure]]:
    loaded: list[T] = []
    failures: list[LoadFailure] = []
    by_name: defaultdict[str, list[EntryPoint]] = defaultdict(list)
    for point in points:
        by_name[point.name].append(point)
    for name, claimants in by_name.items():
        if len(claimants) > 1:
            names = " and ".join(" ".join(_origin(point)) for point in claimants)
            reason = f"{names} both bring a plugin of this name, so neither is used; uninstall one"
            failures.append(LoadFailure(name, *_origin(claimants[0]), reason))
            continue
        (point,) = claimants
        try:
            check_core_requirement(point.dist)
            loaded.append(load(point))
        except IncompatibleCore as error:
            failures.append(LoadFailure(name, *_origin(point), str(error), error.remedy))
        except PluginFault as error:
            failures.append(LoadFailure(name, *_origin(point), str(error)))
        except Exception as error:
            reason = f"importing {point.value} failed: {type(error).__name__}: {error}"
            failures.append(LoadFailure(name, *_origin(point), reason))
    return loaded, failures


def _load_hypervisor(point: EntryPoint) -> Hypervisor:
    plugin = point.load()
    if not isinstance(plugin, HypervisorPlugin):
        raise PluginFault(f"{point.value} is {type(plugin).__name__}, not a simplestack.HypervisorPlugin")
    if plugin.name != point.name:
        raise PluginFault(f"its entry point is named {point.name!r}, its description {plugin.name!r}")
    for word in (plugin.name, *plugin.aliases):
        if not _NAME.match(word) or word in _RESERVED_NAMES:
            raise PluginFault(f"{word!r} cannot be a hypervisor's name in URLs")
    return make_hypervisor(plugin, *_origin(point))


def _load_service(point: EntryPoint) -> Service:
    module = point.load()
    check_service(module)
    return Service(point.name, *_origin(point), module)


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
