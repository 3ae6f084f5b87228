"""What `GET /metrics` of a service says."""

import time
from collections.abc import Mapping
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from support.service import Service, wait_for

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(service: Service, **headers: str | None) -> Samples:
    """Return the value of each line, by name and labels."""
    response = service.get("/metrics", headers=headers)
    assert response.status == 200, response
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.body.decode())
        for sample in family.samples
    }


def total(found: Samples, name: str, **labels: str) -> float:
    """Return the sum of all lines with a name that have these labels."""
    wanted: Mapping[str, str] = labels
    return sum(
        value for (its, own), value in found.items() if its == name and wanted.items() <= dict(own).items()
    )


def wait_for_total(service: Service, expected: float, name: str, **labels: str) -> None:
    """Wait until a sum has a value: gauges are a second old, and an export counts after its last byte."""
    deadline = time.monotonic() + 20
    while (found := total(samples(service), name, **labels)) != expected:
        assert time.monotonic() < deadline, f"{name} {labels} is {found}, not {expected}"
        time.sleep(0.05)


def workers_of(service: Service) -> list[psutil.Process]:
    """Return the worker processes."""
    return psutil.Process(service.process.pid).children()


def folder_of(worker: psutil.Process) -> Path:
    """Return the folder in which a worker writes its figures, as soon as it does."""

    def folders() -> set[Path]:
        return {Path(file.path).parent for file in worker.open_files() if file.path.endswith(".db")}

    (folder,) = wait_for(folders, what="the worker to write figures")
    return Path(folder)
