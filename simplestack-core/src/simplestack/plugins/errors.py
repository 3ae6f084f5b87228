"""Why a plugin is not used."""

from dataclasses import dataclass


class PluginFault(Exception):
    """A plugin cannot be used; the message says why and what to do."""


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
        reason = " ".join(self.reason.split())  # one line of a log, whatever is quoted
        return f"plugin {self.name!r} ({self.distribution} {self.version}): {reason}"
