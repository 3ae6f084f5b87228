"""What must be on the machine before anything is measured."""

import os
import shutil
from collections.abc import Iterable

from kvm.counterparts import libvirtd as counterpart
from vmware.counterparts import vcsim

#: The Debian package of each command.
PACKAGES = {"curl": "curl", "nginx": "nginx-light", "virsh": "libvirt-clients", "wrk": "wrk"}
LIBVIRTD = "libvirtd"
VCSIM = "vcsim"
#: Debian has nginx where only root has a PATH to.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def path_of(command: str) -> str:
    """Return the path of a command that is installed."""
    found = shutil.which(command, path=_PATH)
    if found is None:
        raise FileNotFoundError(command)
    return found


def what_is_missing(needs: Iterable[str]) -> str | None:
    """Say what to do before these can be used: commands, `LIBVIRTD`, `VCSIM`. None when all is there."""
    wanted = set(needs)
    commands = wanted - {LIBVIRTD, VCSIM}
    packages = {PACKAGES[command] for command in commands if not shutil.which(command, path=_PATH)}
    if LIBVIRTD in wanted:
        packages |= set(counterpart.missing_packages())
    if VCSIM in wanted:
        packages |= set(vcsim.missing_packages())
    if packages:
        return f"needs: apt-get install -y --no-install-recommends {' '.join(sorted(packages))}"
    if LIBVIRTD in wanted and os.geteuid() != 0:
        return "needs root: libvirtd runs in namespaces of its own"
    return None
