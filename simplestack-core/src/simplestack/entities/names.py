"""Names for new guests that others have already."""

import itertools
from collections.abc import Callable


def free_name(
    name: str, is_taken: Callable[[str], bool], *, max_characters: int = 255, max_bytes: int | None = None
) -> str:
    """Return a name, or ``NAME (2)`` or the next free name if it is taken. A long name is cut.

    For imports: a client that names a guest itself gets 409.

    :param is_taken: returns whether a name is in use
    :param max_characters: how long a name may be
    :param max_bytes: how long it may be in UTF-8. Default: as long as its characters are
    """
    candidate = name
    for number in itertools.count(2):
        if not is_taken(candidate):
            break
        suffix = f" ({number})"
        cut = name[: max_characters - len(suffix)]
        if max_bytes is not None:
            cut = cut.encode()[: max_bytes - len(suffix)].decode(errors="ignore")
        candidate = cut + suffix
    return candidate
