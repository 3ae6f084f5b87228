"""The built documentation site, as a browser would see it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

#: Attributes that make a browser fetch something by itself. Links that a reader clicks are no assets.
_ASSET_ATTRIBUTES = {"src", "srcset", "poster", "data"}
#: ``<link rel=...>`` of these kinds lead a reader on, and are not fetched.
_LEADING = {"next", "prev", "index", "search"}


@dataclass
class Page:
    """A page: what it can be linked to by, what it links to, and what it loads."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    text: str = ""
    #: Blocks of code.
    code: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._in_code = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self._in_code = True
            self.page.code.append("")
        is_asset = tag == "link" and dict(attributes).get("rel") not in _LEADING
        for name, value in attributes:
            if value is None:
                continue
            if name == "id":
                self.page.anchors.add(value)
            elif name in _ASSET_ATTRIBUTES or (is_asset and name == "href"):
                self.page.assets.append(value)
            elif (tag, name) == ("a", "href"):
                self.page.links.append(value)

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "pre"

    def handle_data(self, data: str) -> None:
        self.page.text += data
        if self._in_code:
            self.page.code[-1] += data


def read_page(path: Path) -> Page:
    """Read one page."""
    reader = _Reader()
    reader.feed(path.read_text())
    return reader.page


def pages(site: Path) -> Iterator[tuple[str, Page]]:
    """Yield each page of a site by its path."""
    for path in sorted(site.rglob("*.html")):
        yield path.relative_to(site).as_posix(), read_page(path)
