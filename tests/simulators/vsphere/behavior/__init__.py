"""What the methods do: one module for each concern. Each registers its functions when it is imported."""

import importlib
import pkgutil


def load() -> None:
    """Import all modules of this package, so that a new file needs no other change."""
    for found in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{found.name}")
