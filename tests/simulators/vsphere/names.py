r"""Names of inventory objects, as vSphere stores them: ``/``, ``\`` and ``%`` are escaped."""

import re

from pyVmomi import vim

_MAX_CHARACTERS = 80
#: A percent sign that does not begin one of the three escapes.
_PERCENT = re.compile(r"%(?!2f|2F|5c|5C|25)")


def stored_name(name: str) -> str:
    """Return a name that a client gives as it is stored: ``a/b`` as ``a%2fb``.

    :raises InvalidName: it is empty, or longer than 80 characters
    """
    if not name or len(name) > _MAX_CHARACTERS:
        raise vim.fault.InvalidName(name=name)
    return _PERCENT.sub("%25", name).replace("/", "%2f").replace("\\", "%5c")
