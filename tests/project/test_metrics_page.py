"""The page about metrics lists those that there are."""

import re

from project.repository import ROOT
from simplestack.config.settings import ServerSettings
from simplestack.plugins.discovery import load_hypervisors
from simplestack.server.metrics.catalog import BUCKETS_SECONDS, METRICS
from simplestack.server.metrics.measuring import PAGES, PLUGIN_PAGE
from simplestack.server.openapi import openapi_document

PAGE = (ROOT / "docs/metrics.md").read_text()


def listed(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def test_each_metric_is_listed_with_its_labels_and_its_meaning() -> None:
    table = PAGE.partition("## All metrics\n\n")[2].partition("\n\n")[0]
    _header, _line, *rows = table.strip().splitlines()
    assert rows == [
        listed(
            f"`{metric.name}`",
            metric.kind.name.lower(),
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.meaning,
        )
        for metric in METRICS
    ]


def test_each_label_and_each_page_is_explained() -> None:
    labels = re.findall(r"^\| `(\w+)` \| [^|]*\|$", PAGE, re.MULTILINE)
    assert set(labels) == {label for metric in METRICS for label in metric.labels} | {"host"}
    (operations,) = re.findall(r"^\| `operation` \|.*$", PAGE, re.MULTILINE)
    assert {*PAGES.values(), PLUGIN_PAGE} <= set(re.findall(r"`(\w+)`", operations))


def test_each_page_of_the_openapi_document_is_counted_by_its_operation_id() -> None:
    paths = openapi_document(load_hypervisors(None)[0])["paths"]
    documented = {path: item["get"]["operationId"] for path, item in paths.items() if "{host}" not in path}
    assert documented == {path: name for path, name in PAGES.items() if name != "reference_page"}


def in_words(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:g} ms"
    return f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min"


def test_the_buckets_are_those_that_it_names() -> None:
    (sentence,) = re.findall(r"buckets of histograms are ([^.]*(?:\.\d[^.]*)*)\.", PAGE)
    assert sentence == ", ".join(map(in_words, BUCKETS_SECONDS))
    assert f"a histogram {len(BUCKETS_SECONDS) + 2}." in PAGE


def test_its_settings_exist() -> None:
    named = set(re.findall(r"`(metrics_\w+)(?: = \w+)?`", PAGE)) - {"metrics_info"}
    assert named == {name for name in ServerSettings.__struct_fields__ if name.startswith("metrics_")}
