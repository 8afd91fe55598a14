"""What must be known of a language to tell code from comments and strings, by the name of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

_DOUBLE: Final = r'"[^"\\\n]*(?:\\.[^"\\\n]*)*(?:"|(?=\n)|\Z)'
_SINGLE: Final = r"'[^'\\\n]*(?:\\.[^'\\\n]*)*(?:'|(?=\n)|\Z)"
_DOUBLE_MANY_LINES: Final = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)'
_THREE_DOUBLE: Final = r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:"""|\Z)'
_THREE_SINGLE: Final = r"'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'''|\Z)"
_BACKTICKS: Final = r"`[^`\\]*(?:\\.[^`\\]*)*(?:`|\Z)"
_RAW_BACKTICKS: Final = r"`[^`]*(?:`|\Z)"
_CHAR: Final = r"'(?:\\[^'\n]{1,10}|[^'\\\n])'"
_BLOCK: Final = r"/\*.*?(?:\*/|\Z)"


@dataclass(frozen=True, slots=True)
class Language:
    """A family of languages that is read alike; ``name`` says which."""

    name: str
    marks: re.Pattern[str]
    """Finds comments (group ``comment``) and strings (``string``, with ``open`` for what stands before the first quote)."""
    keywords: frozenset[str]
    holes: re.Pattern[str] | None = None
    """Finds the code inside of a string, as group 1."""
    holes_only_after: str = ""
    """Letters one of which must stand before the quote for the string to have holes; empty: a backtick or every string."""


def _marks(comments: str, *strings: str, prefix: str = "") -> re.Pattern[str]:
    return re.compile(f"(?P<comment>{comments})|(?P<string>(?P<open>{prefix})(?:{'|'.join(strings)}))", re.DOTALL)


_PYTHON_WORDS: Final = (
    "False None True and as assert async await break class continue def del elif else except finally for from global if "
    "import in is lambda nonlocal not or pass raise return try while with yield match case self cls print"
)
_SCRIPT_WORDS: Final = (
    "async await break case catch class const continue debugger default delete do else enum export extends false finally "
    "for from function get if implements import in instanceof interface let new null of package private protected public "
    "return set static super switch this throw true try type typeof undefined var void while with yield as any boolean "
    "number string never unknown readonly namespace declare abstract keyof"
)
_GO_WORDS: Final = (
    "break case chan const continue default defer else fallthrough for func go goto if import interface map package range "
    "return select struct switch type var nil true false error string int bool byte rune append len cap make new panic"
)
_RUST_WORDS: Final = (
    "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub "
    "ref return self Self static struct super trait true type unsafe use where while bool char str usize isize Some None "
    "Ok Err String Vec Option Result"
)
_CURLY_WORDS: Final = (
    "abstract assert auto bool boolean break byte case catch char class const constexpr continue default delete do double "
    "else enum explicit extends extern false final finally float for foreach friend fun goto if implements import in inline "
    "int interface internal let long namespace new noexcept null nullptr object operator out override package params "
    "private protected public readonly ref return sealed short signed size_t sizeof static std string String struct super "
    "switch synchronized template this throw throws trait true try typedef typename union unsigned using val var virtual "
    "void volatile when where while func guard self nil protocol extension def end"
)
_HASH_WORDS: Final = (
    "and begin break case class def do done elif else elsif end ensure esac export false fi for function if in local module "
    "next nil not null or require rescue return self set shift super then true unless until when while yield echo"
)


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


_PYTHON = Language(
    "python",
    _marks(r"\#[^\n]*", _THREE_DOUBLE, _THREE_SINGLE, _DOUBLE, _SINGLE, prefix=r"\b[rbuftRBUFT]{1,3}|"),
    words(_PYTHON_WORDS),
    re.compile(r"(?:\{\{)|\{([^{}\n]*)\}"),
    "fFtT",
)
_SCRIPT = Language(
    "javascript",
    _marks(rf"//[^\n]*|{_BLOCK}", _BACKTICKS, _DOUBLE, _SINGLE),
    words(_SCRIPT_WORDS),
    re.compile(r"\$\{([^{}]*)\}"),
)
_GO = Language("go", _marks(rf"//[^\n]*|{_BLOCK}", _RAW_BACKTICKS, _DOUBLE, _CHAR), words(_GO_WORDS))
_RUST = Language(
    "rust",
    _marks(rf"//[^\n]*|{_BLOCK}", r'\br\#"(?:[^"]|"(?!\#))*(?:"\#|\Z)', _DOUBLE_MANY_LINES, _CHAR),
    words(_RUST_WORDS),
    re.compile(r"(?:\{\{)|\{(\w*)[^{}\n]*\}"),
)
_JAVA = Language(
    "java",
    _marks(rf"//[^\n]*|{_BLOCK}", _THREE_DOUBLE, _DOUBLE, _CHAR),
    words(_CURLY_WORDS),
    re.compile(r"\$\{([^{}]*)\}"),
)
_C = Language("c", _marks(rf"//[^\n]*|{_BLOCK}", _DOUBLE, _CHAR), words(_CURLY_WORDS))
_HASH = Language("hash", _marks(r"\#[^\n]*", _DOUBLE, _SINGLE), words(_HASH_WORDS), re.compile(r"[#$]\{([^{}]*)\}"))
_DASH = Language("dash", _marks(r"--[^\n]*", _DOUBLE, _SINGLE), words(_HASH_WORDS + " local function then select from"))

_BY_SUFFIX: Final = {
    suffix: language
    for language, suffixes in (
        (_PYTHON, "py pyi pyw"),
        (_SCRIPT, "js jsx mjs cjs ts tsx mts cts vue svelte"),
        (_GO, "go"),
        (_RUST, "rs"),
        (_JAVA, "java kt kts scala groovy swift dart"),
        (_C, "c h cc cpp cxx hh hpp hxx cs m mm php proto zig"),
        (_HASH, "rb sh bash zsh pl pm r jl nim ex exs toml yaml yml tf"),
        (_DASH, "lua sql hs elm"),
    )
    for suffix in suffixes.split()
}


def language_of(uri: str) -> Language | None:
    """Return the language of a document by its name, None for prose, data and what is not known."""
    return _BY_SUFFIX.get(stem_and_suffix(uri)[1])


def stem_and_suffix(uri: str) -> tuple[str, str]:
    """Return a document's file name without its suffix, and the suffix in lower case without its dot."""
    path = PurePosixPath(unquote(urlsplit(uri).path))
    return path.stem, path.suffix[1:].lower()
