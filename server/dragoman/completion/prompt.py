"""What the model reads: windows around the cursor, cut at borders that stay put while the user types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dragoman.completion.query import CompletionQuery, TextView
from dragoman.context.snippets import NOTHING, Context
from dragoman.limits import PREFIX_CHARS, PREFIX_CHARS_SMALL, SUFFIX_CHARS, SUFFIX_CHARS_SMALL, WINDOW_STEP_LINES
from dragoman.models.base import CompletionRequest, ModelInfo
from dragoman.models.profiles import FAMILIES, format_files, format_fim, special_tokens
from dragoman.syntax.comments import line_comment


@dataclass(frozen=True, slots=True)
class Window:
    r"""The text around the cursor: ``prefix`` ends and ``suffix`` begins there; line breaks are ``\\n`` only."""

    prefix: str
    suffix: str


def cut_window(text: TextView, line: int, character: int, *, prefix_chars: int, suffix_chars: int) -> Window:
    """Return up to ``prefix_chars`` before and ``suffix_chars`` after the cursor.

    The prefix begins at a line whose number is a multiple of `WINDOW_STEP_LINES`: its first byte moves only once in
    that many lines, so a server that caches by prefix evaluates just what was typed.
    A line longer than the window is cut at a multiple of a quarter window for the same reason.
    """
    current = _content(text.line(line))
    head = current[:character]
    if len(head) >= prefix_chars:
        step = max(1, prefix_chars // 4)
        start = -(-(len(head) - prefix_chars) // step) * step
        prefix = head[start:]
    else:
        prefix = _lines_before(text, line, prefix_chars - len(head)) + head
    return Window(prefix, _after(text, line, current[character:], suffix_chars))


def _lines_before(text: TextView, line: int, room: int) -> str:
    """Return whole lines before ``line``, at most ``room`` characters, beginning at a stable border where one fits."""
    lines: list[str] = []
    used = 0
    kept_from_border = 0
    for index in range(line - 1, -1, -1):
        content = text.line(index)
        used += len(content)
        if used > room:
            break
        lines.append(content)
        if index % WINDOW_STEP_LINES == 0:
            kept_from_border = len(lines)
    else:
        kept_from_border = len(lines)
    # Without a border in reach (long lines) whole lines are kept as they are: a moving start beats an empty prefix.
    kept = lines[:kept_from_border] or lines
    return _with_newlines("".join(reversed(kept)))


def _after(text: TextView, line: int, rest_of_line: str, room: int) -> str:
    parts = [rest_of_line[:room]]
    used = len(rest_of_line)
    for index in range(line + 1, text.line_count):
        if used >= room:
            break
        content = _content(text.line(index))
        used += len(content) + 1
        if used > room and index > line + 1:
            break
        parts.append(content[:room])
    return "\n".join(parts)


def _content(line: str) -> str:
    return line.rstrip("\r\n")


def _with_newlines(text: str) -> str:
    """Return ``text`` with every line ended by a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def build_request(
    info: ModelInfo,
    window: Window,
    *,
    max_tokens: int,
    multiline: bool,
    logprobs: bool = False,
    context: Context = NOTHING,
    language: str = "",
) -> CompletionRequest:
    """Return the request for ``info``'s family; a model without fill-in-the-middle gets the prefix alone.

    The context stands before all else, so a server's cache holds it for as long as it stays the same.
    """
    stop = tuple(sorted(special_tokens(info.fim_family))) if info.fim_family else ()
    if not multiline:
        stop = ("\n", *stop)
    # vLLM refuses more than four stop strings; the stream parser knows the others.
    stop = stop[:4]
    files = [(snippet.path, snippet.text) for snippet in context.snippets]
    framed = (
        format_files(info.fim_family, context.workspace, files, context.path) if files and info.fim_family else None
    )
    prefix = window.prefix if framed is not None else _as_comments(files, language) + window.prefix
    if info.fim_family is not None:
        prompt, suffix = (framed or "") + format_fim(info.fim_family, prefix, window.suffix), None
    else:
        prompt, suffix = prefix, window.suffix if "fim" in info.capabilities else None
    return CompletionRequest(prompt, suffix, max_tokens, stop, logprobs=logprobs)


def frames_files(info: ModelInfo) -> bool:
    """Tell whether a model has tokens that frame other files; without them they are comments above the text."""
    return info.fim_family is not None and FAMILIES[info.fim_family].file_separator is not None


def _as_comments(files: Iterable[tuple[str, str]], language: str) -> str:
    """Write other files as comments above the text, for models without tokens that frame them."""
    mark = line_comment(language)
    if mark is None:
        return ""
    lines = [line for path, text in files for line in (f"Path: {path}", *text.split("\n"))]
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in lines)


def reach(*, small: bool) -> tuple[int, int]:
    """Return how many characters before and after the cursor a model reads: one on this machine's processor (``small``) or not."""
    return (PREFIX_CHARS_SMALL, SUFFIX_CHARS_SMALL) if small else (PREFIX_CHARS, SUFFIX_CHARS)


def window_for(query: CompletionQuery, *, small: bool) -> Window:
    """Cut the window for a model on this machine's processor (``small``) or on a server."""
    before, after = reach(small=small)
    return cut_window(query.text, query.line, query.character, prefix_chars=before, suffix_chars=after)
