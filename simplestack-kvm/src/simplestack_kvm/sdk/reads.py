"""Calls libvirt again when a read fails without a reason.

libvirt-python sometimes raises an error without a code and a message, which says nothing about what was asked
for. A read changes nothing, so it is called again. A change may have taken effect, so it is called once.
"""

import functools
import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

#: Names of methods that change nothing. `refresh` is not among them: a pool whose refresh fails is stopped.
_READ = re.compile(
    r"(get|has|is|list)[A-Z]\w*|\w*[lL]ookup\w*|XMLDesc|metadata|\w*[iI]nfo|state|name|path|key|maxMemory|vcpusFlags"
    r"|interfaceAddresses|DHCPLeases"
)
_ATTEMPTS = 3


def repeat_unexplained_reads(libvirt: ModuleType) -> None:
    """Change the classes of libvirt-python so that each read is tried up to three times.

    Only an error without a code leads to another try. Call this once for each process.
    """
    for kind in vars(libvirt).values():
        if isinstance(kind, type) and kind.__name__.startswith("vir"):
            for name, method in list(vars(kind).items()):
                if inspect.isfunction(method) and _READ.fullmatch(name):
                    setattr(kind, name, _repeated(method, libvirt.libvirtError))


def _repeated(read: Callable[..., Any], libvirt_error: type[Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def repeated(*arguments: Any, **options: Any) -> Any:
        for _ in range(_ATTEMPTS - 1):
            try:
                return read(*arguments, **options)
            except libvirt_error as error:
                if error.get_error_code():
                    raise
        return read(*arguments, **options)

    return repeated
