"""The repository as the tests of it see it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Folders that tools make; nothing in them is the project's.
_MADE = {
    ".git",
    ".venv",
    ".nox",
    ".cache",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "__pycache__",
    "dist",
    "_build",
    "node_modules",
}


def project_files(*suffixes: str) -> Iterator[Path]:
    """Yield the project's files, as a clone has them."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in _MADE and not name.endswith(".egg-info"))
        for name in sorted(files):
            if name.endswith(suffixes):
                yield Path(folder, name)


def distributions() -> list[Path]:
    """Return the folders of the distributions that are released."""
    return sorted(path.parent for path in ROOT.glob("simplestack-*/pyproject.toml"))


def examples() -> list[Path]:
    """Return the folders of the examples, which are distributions too."""
    return sorted(path.parent for path in ROOT.glob("examples/*/pyproject.toml"))


def code_blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a page that are in a language."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
