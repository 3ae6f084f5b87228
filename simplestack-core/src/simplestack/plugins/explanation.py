"""An exception of a plugin's code in one line: what it is, where it was raised, what to do about it."""

import traceback
from pathlib import Path
from types import FrameType

#: An exception may quote a whole document.
_MAX_TEXT_LENGTH = 500


def explain(error: BaseException, package: str, distribution: str) -> str:
    """Return one line: type and text of an exception, and the last line of the plugin's own code it passed.

    :param package: the plugin's import package, which tells its own code from the code of its SDK
    :param distribution: the name that pip knows the plugin by
    """
    text = _text(error)
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = place_of(error, package)
    if place and not (isinstance(error, SyntaxError) and error.lineno is not None):  # it names its own line
        line += f" ({place})"
    if isinstance(error, ImportError):
        line += _import_advice(error, package, distribution)
    return line


def place_of(error: BaseException, package: str) -> str:
    """Return the last line of the plugin's own code that an exception passed, or of any code but core's."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if _is_foreign(frame)]
    own = [found for found in frames if _belongs(_module(found[0]), package)]
    if not frames:
        return ""
    frame, line = (own or frames)[-1]
    return f"{_file(frame)}, line {line}, in {frame.f_code.co_name}"


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as broken:  # the plugin's own class, whose __str__ may do anything
        return f"its text cannot be shown: {type(broken).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TEXT_LENGTH else f"{text[:_MAX_TEXT_LENGTH]}..."


def _import_advice(error: ImportError, package: str, distribution: str) -> str:
    missing = error.name or ""
    if _belongs(missing, package):
        if isinstance(error, ModuleNotFoundError):
            return f"; {distribution} lacks this module: reinstall it, or tell its author"
        return ""
    if isinstance(error, ModuleNotFoundError):
        return f"; `pip check` lists what {distribution} requires and is missing"
    return "; `pip check` tells whether what the plugin requires is installed"


def _is_foreign(frame: FrameType) -> bool:
    module = _module(frame)
    return not (_belongs(module, "importlib") or _belongs(module, "simplestack.plugins"))


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


def _belongs(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _file(frame: FrameType) -> str:
    """Return a frame's file, relative to the folder that its top-level package is imported from."""
    path = Path(frame.f_code.co_filename)
    depth = len(_module(frame).split(".")) + (path.name == "__init__.py")
    return str(Path(*path.parts[-depth:]))
