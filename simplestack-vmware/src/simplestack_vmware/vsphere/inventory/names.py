r"""Names in vSphere: ``/``, ``\`` and ``%`` are stored as ``%2f``, ``%5c`` and ``%25``."""

import re

_ESCAPED = {"%2f": "/", "%5c": "\\", "%25": "%"}
_ESCAPES = {char: escape for escape, char in _ESCAPED.items()}


def decoded(name: str) -> str:
    """Return a name as people write it."""
    if "%" not in name:
        return name
    return re.sub("%(2f|5c|25)", lambda match: _ESCAPED[match[0].lower()], name, flags=re.IGNORECASE)


def shown_path(path: str) -> str:
    """Return the path of a file, ``[datastore] path``, with the datastore's name as people write it.

    Only the names of objects in the inventory are stored escaped.
    """
    store, bracket, file = path.partition("]")
    return decoded(store) + bracket + file


def datastore_in(path: str) -> str:
    """Return the name of the datastore in the path of a file, ``[datastore] path``, as it is in the path."""
    return path.partition("]")[0].removeprefix("[")


def encoded(name: str) -> str:
    """Return a name as vSphere stores it."""
    return re.sub(r"[%/\\]", lambda match: _ESCAPES[match[0]], name)
