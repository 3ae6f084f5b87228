"""Examples of operations, by hypervisor."""

from collections.abc import Mapping

from simplestack.plugins.examples import Example, read_example_file
from simplestack.plugins.hypervisor import Hypervisor


def read_examples(hypervisor: Hypervisor) -> Mapping[str, Example]:
    """Return a plugin's examples by operation; none where it brings none.

    :raises PluginFault: the plugin's file has become wrong since the plugin was loaded
    """
    path = hypervisor.plugin.examples
    return {} if path is None else read_example_file(path)
