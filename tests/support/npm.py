"""Packages of the npm registry, as a lock file names them."""

import shutil
import subprocess
from pathlib import Path

from support.lacking import lacking


def installed_packages(folder: Path) -> Path:
    """Install the packages in a folder's ``package-lock.json``, without running their scripts.

    Without npm or its registry, the test is skipped, or fails with ``SIMPLESTACK_REQUIRE=all``.

    :returns: the folder with the packages
    """
    missing = None if shutil.which("npm") else "Node.js with npm is missing: apt-get install npm"
    if missing is None:
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        ended = subprocess.run(install, cwd=folder, check=False, timeout=300)
        missing = f"npm cannot install the packages of {folder.name}" if ended.returncode else None
    if missing is not None:
        lacking(missing)
    return folder / "node_modules"
