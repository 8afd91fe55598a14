"""Places in real Python packages where a piece of the text is hidden, as a person would have yet to type it.

Every sample comes from the package's name and the file's text alone, so two runs ask the same questions.
"""

from __future__ import annotations

import ast
import hashlib
import io
import random
import re
import tokenize
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Context = Literal["word", "line_end", "empty_line"]

DEVELOPMENT = (
    "boltons==26.2.0", "click==8.5.1", "cyclopts==5.4.0", "httpcore==1.0.9", "jinja2==3.1.6", "marshmallow==4.4.0",
    "mcp==2.3.0", "pelican==4.12.0", "sqlparse==0.6.1", "structlog==26.1.0", "tenacity==9.2.1", "tomlkit==0.15.2",
)  # fmt: skip
HELD_OUT = (
    "arrow==1.4.0", "cattrs==26.2.1", "fsspec==2026.9.0", "inline-snapshot==0.36.1", "jsonschema==4.26.0", "nox==2026.10.20",
    "openai-agents==0.24.0", "paramiko==5.1.0", "pydantic-ai-slim==2.68.0", "starlette==1.10.0", "tinydb==4.9.0",
    "werkzeug==3.1.9",
)  # fmt: skip
"""Pure Python, ordinary wheels. What is fitted is fitted on the first, what is claimed is measured on the second."""

SHORTEST, LONGEST = 20, 120
"""Characters a line must have: shorter ones are brackets and `pass`, longer ones are data."""

_UNASKED = re.compile(r"\s*(?:import\b|from\b|def\b|class\b|async def\b|#|@|[\"']|[rbuf]{1,2}[\"'])")
"""What nobody completes at a line's end with a model: imports and headers have better sources, texts have none."""
_MARGIN_LINES = 12
_APART_LINES = 40


@dataclass(frozen=True)
class Sample:
    """A text with a hole: ``text`` is without what is hidden, the cursor at ``line`` and ``character`` (from 0)."""

    package: str
    path: str
    context: Context
    text: str
    line: int
    character: int
    hidden: str

    @property
    def name(self) -> str:
        """The sample's name in results and caches."""
        return f"{self.package}:{self.path}:{self.line + 1}:{self.character + 1}"

    @property
    def head(self) -> str:
        """The cursor's line up to the cursor."""
        return self.text.split("\n")[self.line][: self.character]

    def spliced(self, suggestion: str) -> str:
        """Return the file's text with the suggestion in it."""
        lines = self.text.split("\n")
        whole = lines[self.line]
        lines[self.line] = whole[: self.character] + suggestion + whole[self.character :]
        return "\n".join(lines)


def name_of(requirement: str) -> str:
    """Return the package's name as results call it."""
    return re.split(r"[=<>!~ ]", requirement)[0].lower().replace("_", "-")


def files_of(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (package, path, text) of the Python files in the wheels and the unpacked packages of ``folder``."""
    for entry in sorted(folder.iterdir()):
        if entry.suffix == ".whl":
            package = entry.name.split("-")[0].lower().replace("_", "-")
            with zipfile.ZipFile(entry) as wheel:
                for path in sorted(wheel.namelist()):
                    if path.endswith(".py"):
                        yield package, path, wheel.read(path).decode("utf-8", "replace")
        elif entry.is_dir() and not entry.name.startswith((".", "_")):
            package = entry.name.lower().replace("_", "-")
            for file in sorted(entry.rglob("*.py")):
                yield package, file.relative_to(entry).as_posix(), file.read_text(encoding="utf-8", errors="replace")


def draw(files: Iterable[tuple[str, str, str]], *, per_package: int) -> list[Sample]:
    """Draw up to ``per_package`` samples of every package, a third each of mid-word, mid-line and empty-line ones.

    They come in turns, one of each package and then the next, so that any beginning of the list is a fair sample.
    """
    found: dict[str, list[_Place]] = {}
    for package, path, text in files:
        found.setdefault(package, []).extend(_in_file(package, path, text.replace("\r\n", "\n")))
    columns = []
    for package in sorted(found):
        chosen = sorted(found[package], key=lambda place: _chance(place.name))
        columns.append([place.open() for place in _apart(chosen, per_package)])
    return [column[turn] for turn in range(per_package) for column in columns if turn < len(column)]


@dataclass(frozen=True)
class _Place:
    """A sample to be: all places of a file share its lines, because there are thousands of them."""

    package: str
    path: str
    context: Context
    lines: list[str]
    line: int
    character: int

    @property
    def name(self) -> str:
        return f"{self.package}:{self.path}:{self.line + 1}:{self.character + 1}"

    def open(self) -> Sample:
        whole = self.lines[self.line].rstrip()
        text = "\n".join([*self.lines[: self.line], whole[: self.character], *self.lines[self.line + 1 :]])
        return Sample(self.package, self.path, self.context, text, self.line, self.character, whole[self.character :])


def _apart(places: Iterable[_Place], number: int) -> list[_Place]:
    kept: list[_Place] = []
    for place in places:
        if all(one.path != place.path or abs(one.line - place.line) >= _APART_LINES for one in kept):
            kept.append(place)
        if len(kept) == number:
            break
    return kept


def chance_of(name: str) -> float:
    """Return a number from 0 to 1 that depends on nothing but the name."""
    return _chance(name) / 2.0**64


def _chance(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _in_file(package: str, path: str, text: str) -> Iterator[_Place]:
    lines = text.split("\n")
    if len(lines) < 3 * _MARGIN_LINES or len(text) > 200_000 or "test" in path.lower():
        return
    try:
        ast.parse(text)
        starts = _token_starts(text)
    except (SyntaxError, ValueError, tokenize.TokenError):
        return
    for index in range(_MARGIN_LINES, len(lines) - 2):
        line = lines[index].rstrip()
        if not SHORTEST <= len(line) <= LONGEST or _UNASKED.match(line) or index not in starts:
            continue
        indent = len(line) - len(line.lstrip())
        choose = random.Random(_chance(f"{package}:{path}:{index}"))
        context: Context = choose.choice(("word", "line_end", "empty_line"))
        character = _cursor(context, line, indent, starts[index], choose)
        if character is None:
            continue
        yield _Place(package, path, context, lines, index, character)


def _cursor(
    context: Context, line: str, indent: int, words: list[tuple[int, str]], choose: random.Random
) -> int | None:
    if context == "empty_line":
        return indent
    # At least five characters stay hidden: less is typed before it is read.
    places = [(column, word) for column, word in words if indent < column <= len(line) - 5]
    if context == "line_end":
        return choose.choice(places)[0] if places else None
    within = [(column, word) for column, word in places if word.isidentifier() and len(word) >= 4]
    if not within:
        return None
    column, word = choose.choice(within)
    return column + choose.randint(1, min(3, len(word) - 2))


def _token_starts(text: str) -> dict[int, list[tuple[int, str]]]:
    """Return where the tokens of each line begin; lines with a comment, or inside of a text of several, are left out."""
    starts: dict[int, list[tuple[int, str]]] = {}
    inside: set[int] = set()
    skipped = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.start[0] != token.end[0] or token.type == tokenize.COMMENT:
            inside.update(range(token.start[0] - 1, token.end[0]))
        if token.type not in skipped:
            starts.setdefault(token.start[0] - 1, []).append((token.start[1], token.string))
    return {line: words for line, words in starts.items() if line not in inside}
