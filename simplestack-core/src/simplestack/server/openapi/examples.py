"""Examples of operations, by hypervisor."""

from collections.abc import Mapping

from simplestack.plugins.examples import Example, read_example_file
from simplestack.plugins.hypervisor import Hypervisor


def read_examples(hypervisor: Hypervisor) -> Mapping[str, Example]:
    """Return a plugin's examples by operation. The result is empty if it has none.

    :raises PluginFault: the file became invalid after the plugin was loaded
    """
    path = hypervisor.plugin.examples
    return {} if path is None else read_example_file(path)
