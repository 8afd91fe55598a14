"""What a model was given to read: the newest request of each document, put into words when somebody asks.

A record holds references only, so it costs a key nothing.
What was asked for ahead of time (`prefetch.py`) is not recorded: it reads the same, and the suggestion besides.
"""

from __future__ import annotations

import posixpath
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from dragoman.completion.policy import Target
from dragoman.completion.prompt import Window, frames_files
from dragoman.context.snippets import Context, Snippet
from dragoman.limits import SENT_DOCUMENTS
from dragoman.security.marks import MARK
from dragoman.syntax.comments import line_comment

REASONS: Final[Mapping[str, str]] = {
    "imports": "imported by this file",
    "symbols": "used by this place, or uses it",
    "similar": "looks like this place",
    "open_files": "looked at lately",
    "recent_edits": "changed lately",
    "diagnostics": "reported near the cursor",
    "git_diff": "changed since the last commit",
    "conventions": "the project's conventions",
    "prefix": "this file, before the cursor",
    "suffix": "this file, behind the cursor",
}
"""Why something is in the prompt, by its source."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a prompt: ``text`` stands in ``path`` from ``line`` on (from 1; 0 when it is of no one place).

    ``tokens`` are estimated, ``score`` is what retrieval expects of it (the file's own text has 1), ``why`` a few words.
    A secret that was replaced before it was sent is replaced in ``text`` too.
    """

    source: str
    path: str
    line: int
    text: str
    tokens: int
    score: float
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {name: getattr(self, name) for name in self.__slots__}


class _Texts(NamedTuple):
    """What the model read: other files' snippets, the text around the cursor, and how many secrets were replaced."""

    others: list[str]
    before: str
    after: str
    secrets: int | None


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: where the cursor was, who was asked, and what stood in the prompt.

    ``line`` and ``character`` (in code points) count from 0; ``line_text`` is the cursor's line.
    ``at`` is in seconds since 1970.
    ``target`` is None when there was nobody to ask: then it says what a model would read.
    """

    uri: str
    language: str
    line: int
    character: int
    line_text: str
    target: Target | None
    window: Window
    context: Context
    at: float

    @property
    def snippets(self) -> tuple[Snippet, ...]:
        """What was read of other files; nothing where neither the model nor the language has a way to show them."""
        return self.context.snippets if self._framed or line_comment(self.language) is not None else ()

    @property
    def _framed(self) -> bool:
        return self.target is None or frames_files(self.target.info)

    @property
    def _path(self) -> str:
        return self.context.path or unquote(urlsplit(self.uri).path).rpartition("/")[2] or self.uri

    def parts(self) -> tuple[Part, ...]:
        """Return the pieces in the order of the prompt; the file's own text before and behind the cursor comes last."""
        return self._parts(self._texts())

    def _parts(self, texts: _Texts) -> tuple[Part, ...]:
        # Not before it is needed, like the tables of redaction: the start of the server is no place for either.
        from dragoman.models.tokenizers import estimate

        path = self._path
        others = [
            Part(one.source, one.path, one.line, text, one.tokens, one.score, reason_of(one, path))
            for one, text in zip(self.snippets, texts.others, strict=True)
        ]
        first = self.line - self.window.prefix.count("\n") + 1
        own = [Part("prefix", path, first, texts.before, estimate(texts.before), 1.0, REASONS["prefix"])]
        if self.target is None or "fim" in self.target.info.capabilities or self.target.info.fim_family is not None:
            own.append(Part("suffix", path, self.line + 1, texts.after, estimate(texts.after), 1.0, REASONS["suffix"]))
        return (*others, *own)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values; ``secrets`` is there where somebody looked for them, as before models elsewhere."""
        texts = self._texts()
        parts = self._parts(texts)
        target = self.target
        return {
            "uri": self.uri,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds"),
            "model": target.info.name if target else "",
            "provider": target.provider if target else "",
            "local": target.is_local if target else True,
            "line": self.line,
            "character": self.character,
            "tokens": sum(part.tokens for part in parts),
            "late": self.context.late,
            **({"secrets": texts.secrets} if texts.secrets is not None else {}),
            "parts": [part.as_dict() for part in parts],
        }

    def _texts(self) -> _Texts:
        others, before, after = [one.text for one in self.snippets], self.window.prefix, self.window.suffix
        redactor = self.target.redactor if self.target is not None else None
        if redactor is None:
            return _Texts(others, before, after, None)
        # As the prompt has them: framed files are a text of their own, comments stand in the same text as the cursor.
        lead = "" if self._framed else f"{line_comment(self.language)} "
        lines = [lead + line for text in others for line in text.split("\n")]
        if self._framed:
            hidden = redactor.redact("\n".join(lines)).split("\n")
            safe_before, safe_after = redactor.redact_around(before, after)
        else:
            whole, safe_after = redactor.redact_around("\n".join([*lines, before]), after)
            all_lines = whole.split("\n")
            hidden, safe_before = all_lines[: len(lines)], "\n".join(all_lines[len(lines) :])
        secrets = _count([*hidden, safe_before, safe_after]) - _count([*lines, before, after])
        return _Texts(_share_out([line[len(lead) :] for line in hidden], others), safe_before, safe_after, secrets)


def reason_of(snippet: Snippet, path: str) -> str:
    """Say in a few words why a snippet is in the prompt of the file at ``path``."""
    if snippet.source == "symbols" and snippet.path == path:
        return "this file, further away"
    if snippet.source == "symbols" and posixpath.dirname(snippet.path) == posixpath.dirname(path):
        return "defined beside this file"
    return REASONS.get(snippet.source, snippet.source.replace("_", " "))


def _share_out(lines: list[str], texts: list[str]) -> list[str]:
    """Give each text as many of the lines as it has."""
    shares, at = [], 0
    for text in texts:
        count = text.count("\n") + 1
        shares.append("\n".join(lines[at : at + count]))
        at += count
    return shares


def _count(texts: list[str]) -> int:
    return sum(text.count(MARK) for text in texts)


class SentRequests:
    """The newest request of each document, of the last `SENT_DOCUMENTS` documents."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, Sent] = OrderedDict()

    def add(self, sent: Sent) -> None:
        """Record a request in place of the document's last one."""
        self._newest[sent.uri] = sent
        self._newest.move_to_end(sent.uri)
        if len(self._newest) > SENT_DOCUMENTS:
            self._newest.popitem(last=False)

    def get(self, uri: str | None = None) -> Sent | None:
        """Return a document's newest request, or the newest of all; None when there was none."""
        if uri is not None:
            return self._newest.get(uri)
        return next(reversed(self._newest.values()), None)

    def forget(self, uri: str) -> None:
        """Drop what is known of a document."""
        self._newest.pop(uri, None)
