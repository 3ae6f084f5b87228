"""The plugins that are installed where the site is built: what is said of hypervisors is said of these."""

import functools

from simplestack.plugins.discovery import load_hypervisors
from simplestack.plugins.hypervisor import Hypervisor


@functools.cache
def hypervisors() -> tuple[Hypervisor, ...]:
    """Return the installed hypervisors, sorted by name.

    :raises RuntimeError: one of them cannot be loaded
    """
    found, failures = load_hypervisors(None)
    if failures:
        raise RuntimeError("; ".join(str(failure) for failure in failures))
    return tuple(sorted(found, key=lambda hypervisor: hypervisor.name))
