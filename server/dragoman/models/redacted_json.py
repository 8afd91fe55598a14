"""JSON that goes to a model on another machine and comes back from it: without secrets there, with them here, JSON always."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dragoman.errors import ToolCallError
from dragoman.models.base import Chunk, ToolCallDelta
from dragoman.models.json_text import load_json, quote_json
from dragoman.security.redaction import Redactor, StreamRestorer

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*')
"""A string or a number in JSON that `json.dumps` wrote: the only parts that can hold a secret."""


class JsonText:
    """A JSON text, or what was meant to be one, whose secrets are to be taken out.

    ``parts`` are its strings and numbers as they read, keys included, in their order; of what is no JSON, all of it.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._value: Any = None
        self.parts: list[str] = [text]
        self.is_json = True
        try:
            self._value = load_json(text)
        except ValueError:
            self.is_json = False
        else:
            self.parts = [part if isinstance(part, str) else json.dumps(part) for part in _parts(self._value)]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> JsonText:
        """Return the text of a value, such as a schema."""
        return cls(json.dumps(dict(value)))

    def find_named(self, redactor: Redactor) -> list[tuple[int, str]]:
        """Return the secrets that only what stands around them gives away, such as their key, each with its part's number."""
        if not self.is_json:
            return []
        written = json.dumps(self._value, ensure_ascii=False)
        spans = _absolute(written, redactor)
        if not spans:
            return []
        tokens = [match.span() for match in _TOKEN.finditer(written)]
        return list(dict.fromkeys(_cut_out(written, tokens, self.parts, spans)))

    def write(self, parts: Sequence[str]) -> str:
        """Return the text with other ``parts``; the same to the letter where none is another."""
        if list(parts) == self.parts:
            return self.text
        if not self.is_json:
            return parts[0]
        return json.dumps(_rebuild(self._value, iter(zip(self.parts, parts, strict=True))), ensure_ascii=False)


class CallRestorer:
    """Puts secrets back in the arguments of the tool calls of one stream, and lets no call through that garbles one."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._calls: dict[int, _Call] = {}

    def feed(self, deltas: Sequence[ToolCallDelta]) -> tuple[ToolCallDelta, ...]:
        """Take in the next pieces; return what is certain of them."""
        passed: list[ToolCallDelta] = []
        for delta in deltas:
            call = self._calls.get(delta.index)
            if call is None:
                call = self._calls[delta.index] = _Call(self._redactor.stream(quote_json))
            arguments = call.feed(delta)
            if arguments or delta.id or delta.name:
                passed.append(ToolCallDelta(delta.index, delta.id, delta.name, arguments))
        return tuple(passed)

    def end(self) -> tuple[ToolCallDelta, ...]:
        """Return what was held back; raises ToolCallError for a call with a placeholder that stands for nothing."""
        passed = []
        for index, call in self._calls.items():
            if held := call.end():
                passed.append(ToolCallDelta(index, arguments=held))
            if call.is_garbled(self._redactor):
                raise ToolCallError(
                    call.name,
                    "its arguments hold a damaged placeholder of a secret",
                    hint="The secret itself was not sent; the model may do better when it is asked again.",
                )
        return tuple(passed)


class _Call:
    def __init__(self, restorer: StreamRestorer) -> None:
        self.name = ""
        self._restorer = restorer
        self._written: list[str] = []
        self._restored: list[str] = []

    def feed(self, delta: ToolCallDelta) -> str:
        self.name = self.name or delta.name
        self._written.append(delta.arguments)
        certain = self._restorer.feed(delta.arguments)
        self._restored.append(certain)
        return certain

    def end(self) -> str:
        held = self._restorer.end()
        self._restored.append(held)
        return held

    def is_garbled(self, redactor: Redactor) -> bool:
        """Tell whether a placeholder was meant in the arguments that was not put back, an escaped one included."""
        written, restored = JsonText("".join(self._written)), JsonText("".join(self._restored))
        if any(redactor.is_garbled(part) for part in written.parts):
            return True
        return written.is_json and [redactor.restore(part) for part in written.parts] != restored.parts


def restore_calls(chunk: Chunk, restorer: CallRestorer) -> tuple[ToolCallDelta, ...]:
    """Return a chunk's tool calls with their secrets; with the last chunk, all that was held back of them."""
    passed = restorer.feed(chunk.tool_calls)
    return passed + restorer.end() if chunk.finish is not None else passed


def _parts(value: Any) -> Iterator[str | float]:
    """Yield strings and numbers in the order in which they are written."""
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield key
                yield from _parts(inner)
        case list():
            for inner in value:
                yield from _parts(inner)
        case bool() | None:
            pass
        case number:
            yield number


def _rebuild(value: Any, parts: Iterator[tuple[str, str]]) -> Any:
    match value:
        case str():
            return next(parts)[1]
        case dict():
            # The key is asked for first, as it is written first.
            return {next(parts)[1]: _rebuild(inner, parts) for inner in value.values()}
        case list():
            return [_rebuild(inner, parts) for inner in value]
        case bool() | None:
            return value
        case number:
            before, after = next(parts)
            return number if before == after else after


def _absolute(text: str, redactor: Redactor) -> list[tuple[int, int]]:
    """Return the places of secrets in ``text``."""
    explained = redactor.explain(text)
    if not explained:
        return []
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return [(starts[line] + span.start, starts[line] + span.end) for line, span in explained]


def _cut_out(
    written: str, tokens: Sequence[tuple[int, int]], parts: Sequence[str], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, str]]:
    """Yield what each span covers of each token as that token reads: a piece of it, or all where escapes stand in between."""
    for number, (start, end) in enumerate(tokens):
        inside = (start + 1, end - 1) if written[start] == '"' else (start, end)
        for left, right in spans:
            first, last = max(left, inside[0]), min(right, inside[1])
            if first < last:
                whole = "\\" in written[inside[0] : inside[1]] or written[start] != '"'
                yield number, parts[number] if whole else written[first:last]
