"""What is in scope at a cursor: the class and function around it, names with their types, the words near by.

Read from the text with indentation and a few patterns that most languages share: the text at a cursor is broken more
often than not, and this must take less than a millisecond.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from dragoman.context.limits import RETRIEVAL_AROUND_LINES, RETRIEVAL_TYPED_LINES
from dragoman.context.retrieval.files import File
from dragoman.context.retrieval.place import Place
from dragoman.context.workspace.cards import Card
from dragoman.context.workspace.outline import identifiers

_ANNOTATED = re.compile(r"\b(\w+)[ \t]*:[ \t]*[&*]*(?:mut[ \t]+)?[\"']?((?:[\w.]+\[)?[A-Za-z_][\w.]*)")
_MADE = re.compile(r"\b(\w+)[ \t]*(?:: \w+ )?(?::=|=)[ \t]*(?:await[ \t]+|new[ \t]+|&)*([A-Za-z_][\w.]*)[ \t]*[({]")
_WITH = re.compile(r"\bwith[ \t]+(?:await[ \t]+)?([A-Za-z_][\w.]*)\(.*?\)[ \t]+as[ \t]+(\w+)")
_TYPED_FIRST = re.compile(r"\b([A-Z]\w*)(?:<[^<>\n]*>)?[&* \t]+(\w+)[ \t]*[=;,)]")
_TYPED_LAST = frozenset({"python", "typescript", "typescriptreact", "rust", "go", "kotlin", "scala", "swift"})
"""Languages that never write a type before the name, as C and Java do."""
_RECEIVER = re.compile(r"([A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)*)(?:\.|->|::)(\w*)\Z")
_AROUND = 0.6
"""What the name of the function or class around the cursor counts, however far up it stands."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LOWER_WORDS = re.compile(r"[a-z]{3,}|\d{3,}")
KEYWORDS = frozenset(
    word
    for line in (
        "and assert async await bool break bytes case class const continue def default del dict elif else except export",
        "extends false False final finally float for from func function global goto if implements import in instanceof int",
        "interface is isinstance lambda len let list new None not null number object or package pass print private protected",
        "public raise return self set static str string struct super switch this throw throws true True try tuple type typeof",
        "undefined use using var void while with yield any",
    )
    for word in line.split()
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What the text says about the cursor's place.

    ``around`` are the symbols that the cursor stands in, the outermost first, as the outline knows them.
    ``types`` maps names in scope to the type that the text gives them.
    ``receiver`` is the expression before the dot that is being completed, "" where there is none.
    ``near`` weighs the names close to the cursor; ``words`` holds their parts, lower case.
    ``seen`` holds every name that the model reads anyway.
    """

    around: tuple[Card, ...]
    types: dict[str, str]
    receiver: str
    near: Counter[str]
    words: frozenset[str]
    seen: frozenset[str]

    @property
    def enclosing_class(self) -> Card | None:
        """The innermost class around the cursor."""
        return next((one for one in reversed(self.around) if one.kind == "class"), None)


def read_scope(place: Place, file: File | None) -> Scope:
    """Read the scope of a place; ``file`` is what the index or the open document says of its file, if anything."""
    before, after = place.before, place.after
    lines = before.split("\n")
    seen = frozenset(identifiers(before[-place.seen_before :])) | frozenset(identifiers(after[: place.seen_after]))
    near = _near(lines, after.split("\n"))
    receiver = _RECEIVER.search(lines[-1])
    head = lines[-RETRIEVAL_TYPED_LINES:]
    around = _around(lines, file)
    for symbol in around:
        for name in (symbol.name, *identifiers(" ".join(symbol.bases))):
            near[name] = max(near[name], _AROUND)  # type: ignore[assignment]
    words = {word for name in near for word in split_words(name)}
    for symbol in around:
        words |= set(split_words(symbol.name))
    return Scope(around, _types(head, place.language), receiver[1] if receiver else "", near, frozenset(words), seen)


@lru_cache(maxsize=50_000)
def split_words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: ``readFile_v2`` has read and file."""
    if name.islower() and name.isascii():
        return tuple(_LOWER_WORDS.findall(name))
    return tuple([word.lower() for word in _WORDS.findall(name) if len(word) > 2])


def _near(before: list[str], after: list[str]) -> Counter[str]:
    """Weigh the names around the cursor: one on its own line counts 1, ten lines off a third."""
    near: Counter[str] = Counter()
    for distance, line in enumerate(reversed(before[-RETRIEVAL_AROUND_LINES:])):
        weight = 1 / (1 + distance / 5)
        for name in identifiers(line):
            if name not in KEYWORDS:
                near[name] = max(near[name], weight)  # type: ignore[assignment]
    for distance, line in enumerate(after[: RETRIEVAL_AROUND_LINES // 2]):
        weight = 0.8 / (1 + distance / 5)
        for name in identifiers(line):
            if name not in KEYWORDS:
                near[name] = max(near[name], weight)  # type: ignore[assignment]
    return near


def _around(lines: list[str], file: File | None) -> tuple[Card, ...]:
    """Find what the cursor stands in: going up, each line that is indented less and names a symbol of this file."""
    if file is None:
        return ()
    named: dict[str, Card] = {}
    for symbol in file.symbols:
        if symbol.kind in {"class", "function", "method", "type"}:
            named.setdefault(symbol.name, symbol)
    current = lines[-1]
    indent = len(current) - len(current.lstrip()) if current.strip() else len(current)
    found: list[Card] = []
    for line in reversed(lines[:-1]):
        text = line.lstrip()
        if not text or text[0] in ")]}#":
            continue
        own = len(line) - len(text)
        if own >= indent and not (own == 0 and indent == 0 and not found):
            continue
        for name in identifiers(text[:200]):
            if name in named:
                found.append(named[name])
                break
        indent = own
        if indent == 0:
            break
    return tuple(reversed(found))


def _types(lines: list[str], language: str) -> dict[str, str]:
    """Return the types that lines give to names, what stands last counting; all lines at once, for that is many times quicker."""
    text = "\n".join(lines)
    given = [(one.start(), one[1], one[2]) for one in _MADE.finditer(text)]
    annotated = (one for one in _ANNOTATED.finditer(text) if one[2] not in KEYWORDS)
    given += [(one.start(), one[1], one[2].partition("[")[2] or one[2]) for one in annotated]
    if "with" in text:
        given += [(one.start(), one[2], one[1]) for one in _WITH.finditer(text)]
    given.sort()
    types = {name: kind for _, name, kind in given}
    for kind, name in _TYPED_FIRST.findall(text) if language not in _TYPED_LAST else ():
        types.setdefault(name, kind)
    return types
