"""What a client meant whose path or method no operation has."""

from collections.abc import Iterable
from difflib import SequenceMatcher

from simplestack.operations.table import OPERATIONS

_PAGES = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs")
_ROUTES = tuple(dict.fromkeys((*(operation.route for operation in OPERATIONS), *_PAGES)))
_START = "/{hypervisor}/{host}"
#: Words of other APIs for the parts of our paths.
_OTHER_WORDS = {
    **dict.fromkeys(("domains", "instances", "servers", "vms"), "guests"),
    **dict.fromkeys(("nics", "vifs"), "network_interfaces"),
    **dict.fromkeys(("vdis", "volumes"), "disks"),
    **dict.fromkeys(("datastores", "srs"), "storages"),
    **dict.fromkeys(("cdrom", "iso", "media"), "media_device"),
}
_LEAST_SIMILARITY = 0.6
#: Longer words are not compared: they are not misspelt, and comparing them takes long.
_MAX_COMPARED = 100
_MAX_PATH = 200


def unknown_path(path: str) -> str:
    """Return the error message for a path that no operation has."""
    similar = _most_similar(path.split("/")) if len(path) <= _MAX_PATH else None
    if similar is None:
        return f"no operation has this path; paths start with {_START}, GET /openapi.json lists them"
    return f"no operation has this path; did you mean {similar}?"


def without_host(path: str) -> str:
    """Return the end of a message about an unknown hypervisor, if the path lacks hypervisor and host."""
    first = path.split("/")[1]
    collections = {route.removeprefix(_START).split("/")[1] for route in _ROUTES if route.count("/") > 2}
    return f"; paths start with {_START}: {_START}/{first}" if first in collections else ""


def unsupported_method(method: str, allowed: Iterable[str]) -> str:
    """Return the error message for a path that does not support the request's method."""
    *usual, last = sorted(name for name in allowed if name not in ("HEAD", "OPTIONS"))
    return f"this path does not support {method}: use {', '.join(usual)}{' or ' if usual else ''}{last}"


def _most_similar(segments: list[str]) -> str | None:
    """Return the path of an operation that differs only in misspelt words."""
    best, best_likeness = None, 0.0
    for route in _ROUTES:
        pairs = list(zip(segments, route.split("/"), strict=False))
        if len(segments) != route.count("/") + 1:
            continue
        likenesses = [_likeness(given, known) for given, known in pairs if not known.startswith("{")]
        if min(likenesses) >= _LEAST_SIMILARITY and sum(likenesses) / len(likenesses) > best_likeness:
            best_likeness = sum(likenesses) / len(likenesses)
            best = "/".join(given if known.startswith("{") else known for given, known in pairs)
    return best


def _likeness(given: str, known: str) -> float:
    """Return how similar a word is to a part of a path, 0 to 1."""
    word = given.lower()
    if len(word) > _MAX_COMPARED:
        return 0
    return 1 if _OTHER_WORDS.get(word) == known else SequenceMatcher(None, word, known).ratio()
