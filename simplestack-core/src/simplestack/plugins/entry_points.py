"""The plugins that are installed, found by their entry points without importing any."""

import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint
from typing import Any

from packaging.utils import canonicalize_name

from simplestack.plugins.containment import PluginCode
from simplestack.plugins.errors import LoadFailure, PluginFault

HYPERVISOR_GROUP = "simplestack.hypervisors"
SERVICE_GROUP = "simplestack.services"
_UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry point of one of the groups, and the distribution that it comes from."""

    point: EntryPoint
    distribution: str
    version: str

    @property
    def name(self) -> str:
        """What settings and URLs call the plugin."""
        return self.point.name

    def failure(self, reason: str, remedy: str = "") -> LoadFailure:
        """Return the failure to load it."""
        return LoadFailure(self.name, self.distribution, self.version, reason, remedy)

    def code(self, limit_seconds: float) -> PluginCode:
        """Return what runs its code.

        :raises PluginFault: the entry point does not say where the plugin is
        """
        try:
            module = self.point.module
        except AttributeError:  # importlib.metadata could not match it
            raise PluginFault(
                f"its entry point is {self.point.value!r}; expected 'module:attribute', such as "
                f"'simplestack_example:plugin'. Correct {self.distribution}"
            ) from None
        return PluginCode(self.name, self.distribution, self.version, module.partition(".")[0], limit_seconds)


def installed_names(group: str) -> list[str]:
    """Return the names of all installed plugins of a group."""
    return sorted({installed.name for installed in find_installed(group)[0]})


def find_installed(group: str) -> tuple[list[Installed], list[LoadFailure]]:
    """Return all installed plugins of a group, sorted by name, and those whose metadata cannot be read."""
    failures: list[LoadFailure] = []
    try:
        points: Iterable[EntryPoint] = importlib.metadata.entry_points(group=group)
    except Exception:  # one distribution with malformed metadata, ours or not: find out which
        points, failures = _points_of_each(group)
    found = [Installed(point, *_origin(point.dist)) for point in points]
    return sorted(found, key=lambda its: (its.name, its.distribution, its.version)), failures


def _points_of_each(group: str) -> tuple[list[EntryPoint], list[LoadFailure]]:
    """Read the entry points of each distribution by itself."""
    points: list[EntryPoint] = []
    failures: list[LoadFailure] = []
    for distribution in _distributions():
        try:
            points += distribution.entry_points.select(group=group)
        except Exception as error:  # malformed: importlib.metadata raises what its parsing comes to
            name, version = _origin(distribution)
            if _may_bring(distribution, name, group):
                reason = (
                    f"its metadata cannot be read: entry_points.txt: {type(error).__name__}: {error}; "
                    "reinstall the distribution, or tell its author"
                )
                failures.append(LoadFailure(name, name, version, reason))
    return points, failures


def _distributions() -> Iterator[Distribution]:
    """Yield each distribution once, as an import finds it: the first on the path."""
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        name, _ = _origin(distribution)
        key = canonicalize_name(name)
        if name == _UNKNOWN or key not in seen:
            seen.add(key)
            yield distribution


def _may_bring(distribution: Distribution, name: str, group: str) -> bool:
    """Tell whether a distribution with malformed entry points may bring a plugin of a group."""
    try:
        return group in (distribution.read_text("entry_points.txt") or "")
    except Exception:  # not even text; to be reported once, so with one of the groups
        return group == HYPERVISOR_GROUP and canonicalize_name(name).startswith("simplestack")


def _origin(distribution: Distribution | None) -> tuple[str, str]:
    """Return name and version of a distribution, where its metadata has them."""
    try:
        found: tuple[Any, Any] = (
            (None, None) if distribution is None else (distribution.name, distribution.version)
        )
    except Exception:  # there is no METADATA, or it is malformed
        found = (None, None)
    name, version = found
    return str(name or _UNKNOWN), str(version or _UNKNOWN)
