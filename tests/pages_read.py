"""Reads a page as its readers would get it: what it shows, what it would load, and what a browser makes of it."""

from __future__ import annotations

import base64
import re
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from rrframe.imaging.codec import decode


@dataclass
class PageContent(HTMLParser):
    """A page taken apart: its elements in order, its words, and the pictures of each section by the section's id."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    pictures: dict[str, list[dict[str, str | None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._section = ""
        self._within = ""

    @classmethod
    def of(cls, text: str) -> PageContent:
        page = cls()
        page.feed(text)
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.elements.append((tag, named))
        self._within = tag
        if tag == "section":
            self._section = str(named["id"])
        if tag == "img":
            self.pictures.setdefault(self._section, []).append(named)

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within not in ("script", "style") and data.strip():
            self.words.append(" ".join(data.split()))

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def pixels_of(image: dict[str, str | None]) -> np.ndarray:
    """The picture that an ``img`` element carries in itself."""
    found = re.fullmatch(r"data:image/(?:jpeg|webp);base64,(.+)", image["src"] or "")
    assert found, f"an img that carries no picture: {(image['src'] or '')[:80]}"
    return decode(base64.b64decode(found[1], validate=True))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.square(one.astype(np.float64) - other).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def assert_self_contained(text: str, beside: Path | None = None) -> PageContent:
    """The page loads nothing, its pictures are in it, and every link stays within it or leads to a file ``beside``."""
    page = PageContent.of(text)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], f"{tag} has an inline handler"
        assert not {"srcset", "style", "action", "poster", "background"} & attributes.keys(), tag
        if tag == "img":
            height, width = pixels_of(attributes).shape[:2]
            assert (attributes["width"], attributes["height"]) == (str(width), str(height))
            assert attributes["alt"]
        elif "src" in attributes or tag in ("iframe", "object", "embed", "base"):
            raise AssertionError(f"{tag} loads something: {attributes}")
        elif tag == "a":
            href = attributes["href"] or ""
            within = href.startswith("#") and href[1:] in ids
            assert within or (beside and (beside / unquote(href)).is_file()), f"a link to nowhere: {href}"
        elif tag == "link":
            assert attributes == {"rel": "icon", "href": "data:,"}
    assert "url(" not in text
    assert "@import" not in text
    return page


def browse(chromium: str, page: Path, folder: Path) -> tuple[str, list[str]]:
    """``page`` as a browser has it once its scripts ran, and what these wrote to the console."""
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    switches += ["--disable-background-networking", "--disable-component-update", "--virtual-time-budget=2000"]
    switches += [f"--user-data-dir={folder}", "--enable-logging=stderr", "--window-size=1440,1000", "--dump-dom"]
    done = subprocess.run([chromium, *switches, page.as_uri()], capture_output=True, text=True, timeout=300, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
