"""How to install Simplestack's own plugins: from a clone, since no package index has them."""

import sys

#: Hypervisors that Simplestack has plugins for, and the distribution of each.
DISTRIBUTIONS = {
    "kvm": "simplestack-kvm",
    "xen": "simplestack-xen",
    "vmware": "simplestack-vmware",
}


def install_advice(hypervisor: str) -> str:
    """Return the command that installs the plugin for a hypervisor into the environment of this process.

    It names a path of this machine, so it is for operators and not for clients.

    :raises KeyError: Simplestack has no plugin for it
    """
    distribution = DISTRIBUTIONS[hypervisor]
    return f"in a clone of Simplestack, `{sys.executable} -m pip install ./{distribution}` adds it"
