"""What was built is complete, holds nothing stray, and is the same wherever it is built."""

import email
import email.message
import os
import re
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from packages import interpreters
from packages.conftest import DISTRIBUTIONS, PLUGINS
from packages.environments import run
from packages.interpreters import CLASSIFIER, ROOT

EPOCH = "1700000000"
pytestmark = pytest.mark.parametrize("distribution", DISTRIBUTIONS)

#: The package of a distribution, where it has another name.
_PACKAGES = {"simplestack-core": "simplestack"}


def artifact(dist: Path, distribution: str, ending: str) -> Path:
    (found,) = dist.glob(f"{distribution.replace('-', '_')}-*{ending}")
    return found


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def package_files(distribution: str) -> set[str]:
    """Return the files of a distribution's package that belong to the repository, relative to `src`."""
    source = ROOT / distribution / "src"
    if (ROOT / ".git").exists():
        return set(run(["git", "ls-files"], source).stdout.splitlines())
    files = (path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(source)) for path in files}


def build(sources: Path, output: Path, *what: str) -> dict[str, bytes]:
    """Build a distribution from any folder, and return what came out."""
    command = [sys.executable, "-m", "build", "--no-isolation", *what, f"--outdir={output}", str(sources)]
    run(command, sources, environment={"SOURCE_DATE_EPOCH": EPOCH})
    return {path.name: path.read_bytes() for path in output.iterdir()}


def test_a_wheel_holds_its_package_and_its_metadata_and_nothing_else(dist: Path, distribution: str) -> None:
    wheel = artifact(dist, distribution, ".whl")
    stem = "-".join(wheel.name.split("-")[:2])
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    assert files == package_files(distribution) | {f"{stem}.dist-info/{name}" for name in about}
    assert any(name.endswith("/py.typed") for name in files)


def test_an_sdist_holds_what_it_takes_to_build_the_wheel_and_nothing_else(
    dist: Path, distribution: str
) -> None:
    # hatchling adds the ignore file that it went by, so that a build from the sdist does the same.
    about = {"PKG-INFO", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"}
    sdist = artifact(dist, distribution, ".tar.gz")
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    assert files == about | {f"src/{name}" for name in package_files(distribution)}


def test_the_same_sources_make_the_same_bytes_elsewhere(distribution: str, tmp_path: Path) -> None:
    copy = tmp_path / "clone" / distribution
    shutil.copytree(ROOT / distribution, copy, copy_function=shutil.copy)  # with times of their own
    shutil.copy(ROOT / ".gitignore", copy)
    here = build(ROOT / distribution, tmp_path / "here")
    there = build(copy, tmp_path / "there")
    assert {name: len(content) for name, content in here.items()}.keys() == there.keys()
    assert [name for name, content in here.items() if there[name] != content] == []


def test_the_wheel_of_the_sdist_is_that_of_the_sources(distribution: str, tmp_path: Path) -> None:
    # What `build` makes without further options is the wheel of the sdist.
    of_sdist = build(ROOT / distribution, tmp_path / "both")
    of_sources = build(ROOT / distribution, tmp_path / "wheel", "--wheel")
    assert len(of_sources) == 1
    assert of_sources.items() <= of_sdist.items()


def test_the_checkers_of_the_index_have_nothing_to_say(dist: Path, distribution: str) -> None:
    files = [str(path) for path in dist.glob(f"{distribution.replace('-', '_')}-*")]
    assert len(files) == 2
    run([sys.executable, "-m", "twine", "check", "--strict", *files], dist)
    expected = _PACKAGES.get(distribution, distribution.replace("-", "_"))
    checker = [sys.executable, "-m", "check_wheel_contents", "--toplevel", expected]
    run([*checker, *(name for name in files if name.endswith(".whl"))], dist)


def test_the_metadata_tell_what_an_index_shows(dist: Path, distribution: str) -> None:
    about = metadata(artifact(dist, distribution, ".whl"))
    assert about["Name"] == distribution
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Keywords"]
    assert f"# {distribution}\n" in about.get_payload()
    classifiers = about.get_all("Classifier", [])
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(classifiers)
    versions = [line.removeprefix(CLASSIFIER) for line in classifiers if line.startswith(CLASSIFIER)]
    assert set(interpreters.supported()) <= set(versions)
    assert about["Requires-Python"] == f">={interpreters.supported()[0]}"


def test_the_licence_is_that_of_the_repository(distribution: str) -> None:
    assert (ROOT / distribution / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_readme_has_no_links_that_an_index_cannot_follow(dist: Path, distribution: str) -> None:
    text = metadata(artifact(dist, distribution, ".whl")).get_payload()
    assert isinstance(text, str)
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", text) == []


def test_a_plugin_takes_every_core_of_one_generation(dist: Path, distribution: str) -> None:
    requirements = metadata(artifact(dist, distribution, ".whl")).get_all("Requires-Dist", [])
    on_core = [line for line in requirements if line.startswith("simplestack-core")]
    of_any = [re.sub(r"\[[^]]*\]", "", line) for line in on_core]  # its extras
    assert of_any == (["simplestack-core<3,>=2.0.0.dev1"] if distribution in PLUGINS else [])


def test_nothing_of_this_machine_is_in_what_was_built(dist: Path, distribution: str) -> None:
    with zipfile.ZipFile(artifact(dist, distribution, ".whl")) as archive:
        places = {str(ROOT).encode(), os.path.expanduser("~/").encode()}  # noqa: PTH111  as text
        found = [name for name in archive.namelist() if any(place in archive.read(name) for place in places)]
    assert found == []
