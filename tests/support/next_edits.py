"""A document that is edited as an editor edits it, with everything told to the real `NextEdits`."""

from __future__ import annotations

from dragoman.completion.next_edit import NextEdit, NextEdits
from dragoman.completion.query import CompletionQuery
from dragoman.lsp.documents import Change, DocumentStore

CURSOR = "‸"


class Desk:
    """Open documents by name, and the next edits of them."""

    def __init__(self, **files: str) -> None:
        self.now = 0.0
        self.next_edits = NextEdits(lambda: self.now)
        self.store = DocumentStore()
        for name, text in files.items():
            self.open(name.replace("__", "."), text)

    @staticmethod
    def uri(name: str) -> str:
        return f"file:///project/{name}"

    def open(self, name: str, text: str) -> None:
        document = self.store.open(self.uri(name), "any", 1, text)
        self.next_edits.document_changed(
            document.uri, document.lines, 1, first_line=0, last_line=document.lines.line_count - 1
        )

    def close(self, name: str) -> None:
        self.store.close(self.uri(name))
        self.next_edits.document_closed(self.uri(name))

    def text(self, name: str) -> str:
        document = self.store.get(self.uri(name))
        assert document is not None
        return document.lines.text()

    def change(self, name: str, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        document = self.store.get(self.uri(name))
        assert document is not None
        touched = document.apply([Change(text, start, end)], document.version + 1, "utf-32")
        self.next_edits.document_changed(
            document.uri, document.lines, document.version, first_line=touched.first, last_line=touched.last
        )

    def locate(self, name: str, text: str, nth: int = 0) -> tuple[int, int]:
        """Return where the nth ``text`` begins, as a line and a character."""
        whole, at = self.text(name), -1
        for _ in range(nth + 1):
            at = whole.index(text, at + 1)
        head = whole[:at].replace("\r\n", "\n")
        return head.count("\n"), len(head) - head.rfind("\n") - 1

    def replace(self, name: str, old: str, new: str, nth: int = 0, *, keys: bool = False) -> tuple[int, int]:
        """Replace the nth ``old`` at once or key by key; return the cursor behind it."""
        line, at = self.locate(name, old, nth)
        if not keys:
            self.change(name, (line, at), (line, at + len(old)), new)
        else:
            self.change(name, (line, at), (line, at + len(old)), new[:1])
            for index in range(1, len(new)):
                self.change(name, (line, at + index), (line, at + index), new[index])
        return line, at + len(new)

    def due(self, name: str, cursor: tuple[int, int] = (0, 0)) -> list[NextEdit]:
        return list(self.next_edits.all_edits(self.uri(name), *cursor))

    def apply(self, edit: NextEdit) -> None:
        """Make one offered change as an editor does, after checking that it was made for the text that is there."""
        name = edit.uri.rpartition("/")[2]
        document = self.store.get(edit.uri)
        assert document is not None
        assert document.version == edit.version
        self.change(name, edit.start, edit.end, edit.new_text)

    def apply_all(self, name: str, cursor: tuple[int, int] = (0, 0)) -> int:
        """Make what is offered one by one, asking anew after each; return how many changes that were."""
        made = 0
        while (edit := self.next_edits.next_edit(self.uri(name), *cursor)) is not None and edit.is_known:
            self.apply(edit)
            made += 1
            assert made < 1000
        return made

    def ghost(self, name: str, cursor: tuple[int, int]) -> str | None:
        document = self.store.get(self.uri(name))
        assert document is not None
        query = CompletionQuery(document.uri, "any", document.version, document.lines, *cursor)
        suggestion = self.next_edits.at_cursor(query)
        return None if suggestion is None else suggestion.text
