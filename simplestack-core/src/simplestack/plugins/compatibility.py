"""Whether a plugin was made for the core that is installed, told by what its distribution requires.

pip sees to that, unless it is told not to (``--no-deps``) or the two come from different places. What would
follow is an error somewhere in an import, or a hook that is called in a way its author never saw. The range
in ``Requires-Dist`` tells before anything of the plugin is imported; and there is no second number, such as
a version of the hooks, that could disagree with it.
"""

import re
from importlib.metadata import Distribution, version

from packaging.requirements import InvalidRequirement, Requirement

from simplestack.plugins.errors import PluginFault

CORE = "simplestack-core"
#: The line of ``Requires-Dist`` that is about core, however its name is written (PEP 503).
_ON_CORE = re.compile(r"simplestack[-_.]+core(?![\w.-])", re.IGNORECASE)


class IncompatibleCore(PluginFault):
    """A plugin was made for another core.

    :param requirement: what it requires, as it says itself
    :param installed: the version of core that is there
    :param plugin: the plugin's distribution
    """

    def __init__(self, requirement: str, installed: str, plugin: str) -> None:
        #: What to do, without versions: clients of the service may read it.
        self.remedy = f"install versions of {CORE} and {plugin} that fit together"
        super().__init__(f"it requires {requirement}, and {installed} is installed; {self.remedy}")


def check_core_requirement(distribution: Distribution | None) -> None:
    """Check that a plugin's distribution fits the installed core, or does not say what it requires.

    :raises IncompatibleCore: it requires another core
    :raises PluginFault: what it requires of core cannot be read
    """
    if distribution is None:
        return
    for line in distribution.requires or []:
        if not _ON_CORE.match(line):
            continue  # what else a plugin requires is between it and pip
        try:
            requirement = Requirement(line)
        except InvalidRequirement as error:
            raise PluginFault(f"its metadata requires {line!r}, which cannot be read: {error}") from error
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue  # of an extra, or of another platform
        installed = version(CORE)
        # Whoever installed a pre-release of core wants to use it: the bounds alone decide.
        if not requirement.specifier.contains(installed, prereleases=True):
            raise IncompatibleCore(line.partition(";")[0].strip(), installed, distribution.name)
