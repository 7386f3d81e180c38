"""What every page must keep: well-formed, self-contained, accessible. Read with the standard library's parser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}


@dataclass
class Element:
    """An element with its text, that of what is inside included."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def all(self, tag: str, kind: str = "") -> list[Element]:
        """Elements of a tag (and a class) below this one, in the order of the page."""
        found = []
        for one in self.inside:
            if one.tag == tag and (not kind or kind in (one.attributes.get("class") or "").split()):
                found.append(one)
            found += one.all(tag, kind)
        return found

    def rows(self) -> list[list[str]]:
        """Texts of a table's cells, the heading first."""
        return [[cell.text for cell in row.inside] for row in self.all("tr")]


class Page(HTMLParser):
    """Parses a page; every tag must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("root", {})
        self._open = [self.root]
        assert text.startswith("<!DOCTYPE html>\n")
        self.feed(text)
        self.close()
        assert [one.tag for one in self._open] == ["root"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        one = Element(tag, dict(attrs))
        self._open[-1].inside.append(one)
        if tag not in VOID:
            self._open.append(one)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for one in self._open:
            one.text += data

    def all(self, tag: str, kind: str = "") -> list[Element]:
        """Elements of a tag (and a class)."""
        return self.root.all(tag, kind)

    def everything(self) -> list[Element]:
        """All elements."""

        def below(one: Element) -> list[Element]:
            return [inner for child in one.inside for inner in (child, *below(child))]

        return below(self.root)

    def section(self, title: str) -> Element:
        """The section with a heading."""
        (found,) = [one for one in self.all("section") if one.all("h2")[0].text == title]
        return found

    def titles(self) -> list[str]:
        """Headings of the sections."""
        return [one.text for one in self.all("h2")]


def check(text: str) -> Page:
    """Parse a page and hold it to what every page must keep."""
    page = Page(text)
    elements = page.everything()
    ids = [one.attributes["id"] for one in elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    _nothing_from_outside(elements)
    assert len(page.all("script")) == 1
    assert not [name for one in elements for name in one.attributes if name.startswith("on")]
    anchors = {one.attributes["href"] for one in page.all("a")}
    assert anchors <= {f"#{name}" for name in ids}
    assert len(page.all("h1")) == 1
    assert page.all("h1")[0].text.strip()
    assert [one.attributes.get("lang") for one in page.all("html")] == ["en"]
    for table in page.all("table"):
        assert table.all("caption")[0].text.strip()
        widths = {len(row) for row in table.rows()}
        assert len(widths) == 1, table.all("caption")[0].text
    for chart in page.all("svg", "chart"):
        assert (chart.attributes["aria-label"] or "").strip()
        assert not re.search(
            r"\b(nan|inf)\b", " ".join(str(v) for one in chart.inside for v in one.attributes.values())
        )
    for figure in page.all("figure"):
        assert figure.all("figcaption")[0].text.strip()
    return page


def _nothing_from_outside(elements: list[Element]) -> None:
    for one in elements:
        for name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
            target = one.attributes.get(name)
            assert target is None or target.startswith(("#", "data:")), (one.tag, target)
        for value in one.attributes.values():
            assert not re.search(r"url\((?!#)", value or ""), value
    for style in (one.text for one in elements if one.tag in ("style", "script")):
        assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|\bimport\b", style)
        # The name of SVG's namespace is no address.
        assert re.findall(r"https?://[^\"' ]+", style) in ([], ["http://www.w3.org/2000/svg"])
