"""Files that take long to make: they are made once, and kept in ``.cache``."""

import fcntl
from collections.abc import Callable
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"


def built_once(name: str, build: Callable[[Path], object]) -> Path:
    """Return the file of this name, which is made unless it is there. Processes that run tests at once wait.

    :param name: changes with what the file is made of, so that an old one is not taken for it
    :param build: makes the file at the path that it gets
    """
    CACHE.mkdir(exist_ok=True)
    built = CACHE / name
    with built.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            unfinished = built.with_name(f"{name}.new")
            build(unfinished)
            unfinished.rename(built)
    return built
