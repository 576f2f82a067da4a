"""Reads a page as a person without a browser would: tables by name, and the text of each part."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = frozenset({"meta", "link"})


class PageRead(HTMLParser):
    """`tables` has the rows of every table, by the name of its frame, head first; `ids` what can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: dict[str, str] = {}
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.captions: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[tuple[str, str]] = []
        self._frame = ""
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, dict(attrs))
        if tag not in VOID:
            self._open.append((tag, dict(attrs).get("id") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._begin(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"{opened} is closed by {tag}"

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data
        around = [tag for tag, _ in self._open]
        if "caption" in around:
            self.captions[-1] += data
        elif ("td" in around or "th" in around) and self._frame:
            self.tables[self._frame][-1][-1] += data

    def _begin(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tags.append(tag)
        self.attributes.append((tag, attributes))
        self.ids += [attributes["id"] or ""] if "id" in attributes else []
        self.links += [attributes["href"] or ""] if "href" in attributes else []
        if attributes.get("class") == "frame":
            self._frame = attributes["id"] or ""
            self.tables[self._frame] = []
        elif tag == "caption":
            self.captions.append("")
        elif tag == "tr" and self._frame:
            self.tables[self._frame].append([])
        elif tag in ("td", "th") and self._frame:
            self.tables[self._frame][-1].append("")
