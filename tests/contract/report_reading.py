"""Reading a page back: its elements, its text, its embedded pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from html.parser import HTMLParser


class Outline(HTMLParser):
    """Collects every element with its attributes, and the text that is not style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] != "style":
            self.text += data

    def all(self, *tags: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag in tags)


def embedded(page: str, media_type: str) -> list[bytes]:
    """Every data URI of a type, decoded."""
    found = re.findall(rf"data:{re.escape(media_type)};base64,([A-Za-z0-9+/=]+)", page)
    return [base64.b64decode(text) for text in found]


def words_of(drawing: str) -> str:
    """All text of an SVG data URI."""
    svg = base64.b64decode(drawing.partition(",")[2]).decode()
    return " ".join(re.findall(r"<text[^>]*>(.*?)</text>", svg, re.S))
