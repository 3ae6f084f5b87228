"""The conformance kit on govmomi's simulator, an implementation that nobody here wrote.

It is lenient, and lacks much: `vcsim_defects.toml` has the tests that fail there, each with the simulator's
defect. They are run, too: one that passes has no place in the list.
"""

import re
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import urllib3

import simplestack.conformance
from simulators.tls import Trust
from support.conformance import KitRun, run_kit
from support.lacking import lacking_packages

from .counterparts import vcsim
from .kit_results import KitTest, read_results
from .test_conformance import EXPLAINED, ON_ESXI, is_explained

DEFECTS = tomllib.loads(Path(vcsim.__file__).with_name("vcsim_defects.toml").read_text())["defects"]
#: Each wait for a task takes vcsim a quarter of a second: so parts of the kit run side by side.
PARTS = [
    ["clones", "hosts"],
    ["disks", "storages"],
    ["guests", "pools"],
    ["ids", "rest_api", "sessions"],
    ["interfaces", "networks", "tags"],
    ["media", "snapshots"],
    ["optional_fields", "transfer"],
    ["power"],
]


#: A test that hangs fails after a minute, and not after an hour.
SETTINGS = """
[hypervisors.vmware]
allowed_hosts = ["127.0.0.1"]
tls_ca_file = "{ca_file}"
long_call_timeout_seconds = 60
"""


class Place(NamedTuple):
    """A kind of host."""

    #: Where the kit's images are.
    datacenter: str
    #: Options of the kit. A lone host has one network.
    more: dict[str, str]


PLACES = {
    "vCenter": Place("DC0", {"--other-network": "DC0_DVPG0"}),
    "ESXi": Place("ha-datacenter", {}),
}


def put(port: int, trust: Trust, place: Place, *names: str) -> None:
    """Put files into the datastore. They are empty: vcsim reads none."""
    with urllib3.PoolManager(ca_certs=str(trust.ca_file)) as pool:
        for name in names:
            query = f"dcPath={place.datacenter}&dsName=LocalDS_0"
            response = pool.request("PUT", f"https://127.0.0.1:{port}/folder/{name}?{query}", body=b"")
            assert response.status == 200, response.data


def run_part(trust: Trust, image: Path, folder: Path, kind: str, files: list[str]) -> KitRun:
    """Run files of the kit on a vcsim of their own."""
    place = PLACES[kind]
    with vcsim.running(trust.certificate, esx=kind == "ESXi") as port:
        put(port, trust, place, "debian-12.vmdk", "debian-12-flat.vmdk", "debian-12.iso")
        options = {
            "--hypervisor": "vmware",
            "--host": f"127.0.0.1:{port}",
            "--username": vcsim.USER,
            "--password": vcsim.PASSWORD,
            "--image": "[LocalDS_0] debian-12.vmdk",
            "--image-file": str(image),
            "--iso": "[LocalDS_0] debian-12.iso",
            "--trunk": "VM Network",
            "--network": "VM Network",
            **place.more,
            "--patience": "1",
            "--junitxml": str(folder / "results.xml"),
            "-o": "junit_family=xunit1",
        }
        return run_kit(
            folder,
            *(word for option in options.items() for word in option),
            *("--pyargs", *(f"simplestack.conformance.test_{name}" for name in files)),
            config=SETTINGS.format(ca_file=trust.ca_file),
            ways=("http",),
        )


def run_all(trust: Trust, image: Path, folder: Path, kind: str) -> Iterator[tuple[KitRun, list[KitTest]]]:
    folders = [folder / files[0] for files in PARTS]
    with ThreadPoolExecutor(len(PARTS)) as pool:
        for done, own in zip(
            pool.map(partial(run_part, trust, image), folders, [kind] * len(PARTS), PARTS),
            folders,
            strict=True,
        ):
            assert done.table, done.output
            yield done, read_results(own / "results.xml")


def excluded(kind: str, field: str) -> set[str]:
    """Return what defects exclude on a kind of host."""
    return {
        each
        for defect in DEFECTS
        if kind in defect.get("only", list(PLACES))
        for each in defect.get(field, [])
    }


def contradicts(test: KitTest, known: set[str], explained: dict[str, str]) -> bool:
    """Return whether a test fails that is not excluded, or passes although it is."""
    is_fine = test.outcome == "passed" or is_explained(test.reason, set(), explained)
    return is_fine == (test.name in known)


@pytest.mark.parametrize("kind", PLACES)
def test_the_kit_passes_but_for_what_defects_of_the_simulator_exclude(
    trust: Trust, archive: bytes, tmp_path: Path, kind: str
) -> None:
    missing = vcsim.missing_packages()
    if missing:
        lacking_packages(missing)
    vcsim.build()
    image = tmp_path / "image.ova"
    image.write_bytes(archive)
    explained = EXPLAINED | (ON_ESXI if kind == "ESXi" else {})
    known, left_behind = excluded(kind, "tests"), excluded(kind, "left_behind")
    wrong: set[str] = set()
    seen: set[str] = set()
    for done, results in run_all(trust, image, tmp_path, kind):
        for test in results:
            seen.add(test.name)
            if contradicts(test, known, explained):
                wrong.add(f"{test.name} {test.outcome}: {test.reason}")
        for line in re.findall("^TARGET NOT AS BEFORE: (.*)$", done.output, re.MULTILINE):
            if not any(re.fullmatch(each, line) for each in left_behind):
                wrong.add(line)
    assert sorted(wrong) == [], "fails without a defect of vcsim in the list, or passes in spite of one"
    assert known - seen == set(), "the kit has no such tests"


def test_a_list_that_is_not_true_any_more_is_found() -> None:
    known = {"test_x::test_a", "test_x::test_b"}
    rejected = f"vmware does not support this call of disk_create: {EXPLAINED['disk_create']}"
    lacking = "vmware does not support this call of guest_export: vSphere says MethodNotFound"
    wrong = [
        KitTest("test_x::test_a", "passed", ""),
        KitTest("test_x::test_b", "skipped", rejected),
        KitTest("test_x::test_c", "failed", "assert False"),
        KitTest("test_x::test_c", "skipped", lacking),
    ]
    right = [
        KitTest("test_x::test_a", "failed", "assert False"),
        KitTest("test_x::test_b", "skipped", lacking),
        KitTest("test_x::test_c", "passed", ""),
        KitTest("test_x::test_c", "skipped", rejected),
    ]
    assert [test for test in (*wrong, *right) if contradicts(test, known, EXPLAINED)] == wrong


def test_each_file_of_the_kit_is_run_unless_a_defect_excludes_it() -> None:
    (folder,) = simplestack.conformance.__path__
    files = sorted(file.stem for file in Path(folder).glob("test_*.py"))
    not_run = {each for kind in PLACES for each in excluded(kind, "not_run")}
    assert sorted([*(f"test_{name}" for part in PARTS for name in part), *not_run]) == files
