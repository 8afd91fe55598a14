"""A page of HTML as the text that a person would read, headings and links marked as in Markdown."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from dragoman.agents.limits import HTML_CHARS

_UNSEEN: Final = frozenset({"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "canvas"})
_HEADINGS: Final = {f"h{level}": "#" * level for level in range(1, 7)}
_BLOCKS: Final = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "br",
            "dd",
            "div",
            "dl",
            "dt",
            "figure",
            "footer",
            "form",
            "header",
        ),
        *("hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "tr", "ul"),
        *_HEADINGS,
    }
)


_LEFT_OUT: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(script|style)(?=[\s/>])[^>]*>.*?(?:</\1(?=[\s/>])[^>]*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""Comments, scripts and styles; one that does not end goes on to the page's end, as in a browser."""


def read_html(page: str) -> str:
    """Return the text of a page, of its first `HTML_CHARS`, in a time that grows with its length alone; never raises."""
    reader = _Reader()
    # A blank, for what is left must not close up to another comment.
    page = _without_open_tag(_LEFT_OUT.sub(" ", _without_open_tag(page[:HTML_CHARS])))
    # The parser gives up at a section that it does not know.
    reader.feed(page.replace("<![", "&lt;!["))
    reader.close()
    return reader.text()


def _without_open_tag(page: str) -> str:
    """Return a page of which every ``<`` has a ``>`` behind it: else the rest is looked through for one, again and again."""
    end = page.rfind(">") + 1
    return page[:end] + page[end:].replace("<", "&lt;")


class _Reader(HTMLParser):
    """Collects text, a line for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._title: list[str] = []
        self._unseen = 0
        self._pre = 0
        self._in_title = False
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag in _UNSEEN:
            self._unseen += 1
        if tag in _BLOCKS:
            self._parts.append("\n\n" if tag in _HEADINGS or tag == "p" else "\n")
        if tag in _HEADINGS:
            self._parts.append(f"{_HEADINGS[tag]} ")
        elif tag == "li":
            self._parts.append("- ")
        elif tag in {"td", "th"}:
            self._parts.append(" | ")
        elif tag == "pre":
            self._pre += 1
            self._parts.append("```\n")
        elif tag == "a":
            target = next((value for name, value in attrs if name == "href"), None) or ""
            self._links.append(target if target.startswith(("http://", "https://", "/")) else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag == "body":
            self._unseen = 0
        elif tag == "a" and self._links:
            if target := self._links.pop():
                self._say(f" ({target})")
        elif tag == "pre" and self._pre:
            self._pre -= 1
            self._parts.append("\n```\n")
        if tag in _BLOCKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title.append(data)
        else:
            self._say(data)

    def _say(self, text: str) -> None:
        if not self._unseen:
            self._parts.append(text if self._pre else re.sub(r"\s+", " ", text))

    def text(self) -> str:
        """Return what was collected, the page's title first."""
        lines = [line.rstrip() for line in "".join(self._parts).split("\n")]
        body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
        title = " ".join("".join(self._title).split())
        return f"Title: {title}\n\n{body}".strip() if title else body
