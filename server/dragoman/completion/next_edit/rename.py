"""One word was replaced by another: its other occurrences are due, as far as they are the same thing.

Which ones are is a question of scope: the function that binds it, the object whose member it is, or the whole file and those
that import it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from dragoman.completion.next_edit import scopes
from dragoman.completion.next_edit.history import Edit
from dragoman.completion.next_edit.languages import stem_and_suffix, words
from dragoman.completion.next_edit.patterns import NextEditReason, Place
from dragoman.completion.next_edit.source import Source, Zone
from dragoman.completion.next_edit.tokens import is_word_char
from dragoman.limits import NEXT_EDIT_PLACES

SHORTEST_OLD: Final = 3
"""Shorter names stand for too many things."""

SHORTEST_NEW: Final = 2

COMMON_MEMBERS: Final = words(
    "get set add pop put items keys values append extend update copy clear index count sort join split strip replace format "
    "find read write close open name names id type size length map filter reduce push then catch run start stop value key data "
    "text path next send call apply bind insert remove delete create build load save parse print list dict item node parent "
    "children error message result status state title test line lines args options config"
)
"""Members that half of all objects have: of those only the same object's are offered."""

_RECEIVER: Final = re.compile(r"([\w\])]+)\s*(?:\?\.|\.|->|::)\s*\Z")
_SPELT: Final = re.compile(r"[_\d]|[a-z][A-Z]")
_PATH_BEFORE: Final = re.compile(r"([\"'`])([\w./:@#-]*)\Z")
_PATH_BEHIND: Final = re.compile(r"[\w./:@#?=-]*[\"'`]")
_TYPE_BEFORE: Final = re.compile(r"(->\s*)?\b[A-Z]\w*\s*\Z")
_LISTING: Final = ("import", "export {", "use ", "pub use ")
_SELVES: Final = frozenset({"self", "this", "cls", "super"})

Reach = Literal["local", "member", "file"]


@dataclass(frozen=True, slots=True)
class _Site:
    """A place at which the old word became the new one."""

    offset: int
    line: int
    zone: Zone
    receiver: str | None


@dataclass(slots=True)
class Rename:
    """A word that became another one, and how far that goes."""

    old: str
    new: str
    origin: str
    reach: Reach
    zone: Zone
    receiver: str | None = None
    """The object whose member it is; None for every object's."""
    anchor: int = 0
    """A line of the function or class to which it is confined; it moves with the text by being looked up by its head."""
    head: str = ""
    declared: bool = False
    """Whether the declaration itself was changed."""
    also_plain: bool = False
    """Whether members are also written without an object, as in Java."""
    path: str = ""
    """What stands before the word in a string that is a path, such as ``package.`` in front of a module."""
    reason: NextEditReason = "rename"
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # What stands before it is looked at afterwards: a pattern that begins with plain letters is searched several times faster.
        self._pattern = re.compile(rf"{re.escape(self.old)}(?!\w)")

    @property
    def key(self) -> str:
        """What the change is."""
        return f"rename {self.old} {self.new} {self.origin} {self.head}"

    @property
    def rename(self) -> Rename:
        """Itself."""
        return self

    def may_touch(self, line: str) -> bool:
        """Tell whether a line holds the old word."""
        return self.old in line

    def absorbs(self, edit: Edit) -> bool:
        """Tell whether an edit does the same, and nothing else."""
        if edit.uri != self.origin and (self.reach == "local" or self.head):
            return False
        return bool(edit.hunks) and all(hunk.renames == (self.old, self.new) for hunk in edit.hunks)

    def places(self, source: Source) -> list[Place]:
        """Return the occurrences that are due."""
        if self.old not in source.text or (source.uri != self.origin and not self._goes_to(source)):
            return []
        first, last = 0, len(source.text)
        if self.head:
            block = self._block(source)
            if block is None:
                return []
            first, last = source.start_of(block.first), source.start_of(block.last + 1)
        label = f"replace `{self.old}` by `{self.new}`"
        found = []
        for match in self._pattern.finditer(source.text, first, last):
            start = match.start()
            if not is_word_char(source.text[start - 1 : start]) and self._is_due(source, start, match.end()):
                found.append(Place(match.start(), match.end(), self.new, label))
                if len(found) == NEXT_EDIT_PLACES:
                    break
        return found

    def _goes_to(self, source: Source) -> bool:
        """Tell whether another document can mean the same thing by the same word."""
        if self.zone != "code" or self.reach == "local" or self.head:
            return False
        if self.reach == "member":
            return self.declared and self.receiver is None and not scopes.defines(source, self.old)
        stem = stem_and_suffix(self.origin)[0]
        imports = rf"^[^\n]*\b(?:import|from|use|using|require|include)\b[^\n]*\b{re.escape(self.old)}\b"
        brought = rf"\b{re.escape(stem)}\s*(?:\.|::)\s*{re.escape(self.old)}\b"
        if re.search(imports, source.text, re.MULTILINE) or re.search(brought, source.text):
            return True
        by_package = source.language is not None and source.language.name in {"go", "java", "c"}
        return by_package and self.declared and not scopes.defines(source, self.old)

    def _block(self, source: Source) -> scopes.Block | None:
        """Find the function or class again: its head as it is now, the nearest one to where it was."""
        lines = source.lines
        here = [self.anchor] if self.anchor < len(lines) and self.head in lines[self.anchor] else []
        here += [index for index, line in enumerate(lines) if self.head in line] if not here else []
        for index in sorted(here, key=lambda one: abs(one - self.anchor)):
            for block in scopes.enclosing(source, index):
                if block.first == index:
                    self.anchor = index
                    return block
        return None

    def _is_due(self, source: Source, start: int, end: int) -> bool:
        if source.zone(start) != self.zone:
            return False
        if self.zone != "code":
            return self.zone == "comment" or path_before(source, start, end) == self.path
        receiver = receiver_at(source, start)
        if self.reach == "member":
            if receiver is None:
                return self._is_plain_member(source, start, end)
            return self.receiver is None or receiver == self.receiver or self._is_own_class(source, receiver)
        if receiver is not None:
            return source.uri != self.origin and receiver == stem_and_suffix(self.origin)[0]
        if is_keyword(source, start, end):
            return False
        return self.reach == "local" or not _is_shadowed(source, start, self.old)

    def _is_own_class(self, source: Source, receiver: str) -> bool:
        return receiver in _SELVES and self.receiver in _SELVES and source.uri == self.origin

    def _is_plain_member(self, source: Source, start: int, end: int) -> bool:
        """Tell whether a bare word is the member's declaration, or a use of it in a language that needs no object."""
        if is_keyword(source, start, end):
            return False
        line, _ = source.position(start)
        blocks = scopes.enclosing(source, line)
        if self.also_plain:
            return bool(blocks) and not _is_shadowed(source, start, self.old)
        content = source.lines[line]
        inside = [block for block in blocks if block.first != line or block.is_class]
        in_class = bool(inside) and inside[0].is_class
        return in_class and (scopes.defines_in(content, self.old) or scopes.declares_member(content, self.old))


def find_rename(edit: Edit, source: Source) -> Rename | None:
    """Return the rename that an edit is, judged by the text as it is after it; None when it is none, or means only itself."""
    pair = renamed_by(edit)
    if pair is None or source.language is None or not _is_name(*pair, source):
        return None
    old, new = pair
    start = source.start_of(edit.first)
    if source.text[start : start + len(edit.after)] != edit.after:
        return None
    sites = [_site(source, start + hunk.at) for hunk in edit.hunks]
    zones = {site.zone for site in sites}
    if len(zones) != 1:
        return None
    zone = zones.pop()
    if zone == "comment":
        # A word of prose stands there for itself; one that is spelt like a name in code stands for that.
        return Rename(old, new, edit.uri, "file", zone) if _SPELT.search(old) else None
    if zone == "string":
        paths = {path_before(source, one.offset, one.offset + len(new)) for one in sites}
        path = paths.pop() if len(paths) == 1 else None
        return None if path is None else Rename(old, new, edit.uri, "file", zone, path=path)
    plain = [site for site in sites if site.receiver is None]
    if plain:
        return _plain(edit, source, plain, old, new)
    return _member(edit, source, sites[0], old, new)


def renamed_by(edit: Edit) -> tuple[str, str] | None:
    """Return the word and its replacement when an edit is nothing but that, however often."""
    pairs = {hunk.renames for hunk in edit.hunks}
    return pairs.pop() if len(pairs) == 1 else None


def receiver_at(source: Source, start: int) -> str | None:
    """Return the object in front of a member, None when the word at ``start`` is not a member."""
    before = source.text[max(0, start - 60) : start]
    marks = before.rstrip()
    arrow = marks.endswith("->")
    if arrow and (source.language is None or source.language.name != "c"):
        # A type that is returned, or the body of a lambda.
        return None
    match = _RECEIVER.search(before)
    if match is not None:
        return match[1]
    return "" if marks.endswith((".", "->", "::")) and not marks.endswith("..") else None


def is_keyword(source: Source, start: int, end: int) -> bool:
    """Tell whether a word is the name of an argument or of a field in a call or a literal: somebody else's name."""
    text = source.text
    after = text[end : end + 3].lstrip()
    before = text[max(0, start - 200) : start].rstrip()
    family = source.language.name if source.language is not None else ""
    if family == "python":
        if not after.startswith("=") or after.startswith("==") or not before.endswith(("(", ",")):
            return False
        line, _ = source.position(start)
        opened = _innermost(source, start)
        return (
            opened is not None
            and source.text[opened] == "("
            and not any(
                block.first <= line < block.body and not block.is_class for block in scopes.enclosing(source, line)
            )
        )
    if before.endswith(("{", ",")) and family in {"javascript", "go", "rust"}:
        line, _ = source.position(start)
        if after.startswith(":") and not after.startswith("::"):
            return not any(block.first <= line < block.body for block in scopes.enclosing(source, line))
        # `{ name }` is the field and the variable in one: replacing the word would change the field too.
        if family == "go" or not after.startswith(("}", ",")) or source.lines[line].lstrip().startswith(_LISTING):
            return False
        opened = _innermost(source, start)
        if opened is None or source.text[opened] != "{" or source.zone(opened) != "code":
            return False
        # In Rust the braces of a literal stand behind its type; all others are a block's.
        kind = _TYPE_BEFORE.search(source.text[max(0, opened - 80) : opened]) if family == "rust" else None
        return family != "rust" or (kind is not None and kind[1] is None)
    return False


def _innermost(source: Source, start: int) -> int | None:
    """Return the offset of the bracket that is open at ``start``, None when there is none nearby."""
    depth = 0
    for offset in range(start - 1, max(-1, start - 2_000), -1):
        char = source.text[offset]
        if char in ")]}":
            depth += 1
        elif char in "([{":
            depth -= 1
            if depth < 0:
                return offset
    return None


def _is_shadowed(source: Source, start: int, name: str) -> bool:
    line, _ = source.position(start)
    for block in scopes.enclosing(source, line):
        if block.is_class:
            continue
        # The head's own name belongs to what is around it, its parameters do not.
        if block.first <= line < block.body:
            if scopes.is_parameter(source, block, name) and not source.text[start + len(name) :].lstrip().startswith(
                "("
            ):
                return True
        elif scopes.binds(source, block, name):
            return True
    return False


def _is_name(old: str, new: str, source: Source) -> bool:
    keywords = source.language.keywords if source.language is not None else frozenset()
    return len(old) >= SHORTEST_OLD and len(new) >= SHORTEST_NEW and old not in keywords and new not in keywords


def _site(source: Source, offset: int) -> _Site:
    return _Site(offset, source.position(offset)[0], source.zone(offset), receiver_at(source, offset))


def path_before(source: Source, start: int, end: int) -> str | None:
    """Return what stands before a word in a string that is one path; None in a sentence, whose words are nobody's names."""
    text = source.text
    before = _PATH_BEFORE.search(text[max(0, start - 200) : start])
    if before is None or not _PATH_BEHIND.match(text[end : end + 200]):
        return None
    family = source.language.name if source.language is not None else ""
    return before[2] if before[1] != "`" or family in {"javascript", "go"} else None


def _plain(edit: Edit, source: Source, sites: list[_Site], old: str, new: str) -> Rename | None:
    site = sites[0]
    line = source.lines[site.line]
    blocks = scopes.enclosing(source, site.line)
    inside = [block for block in blocks if block.first != site.line]
    own_name = (
        scopes.defines_in(line, new) or re.match(r"\s*\(", source.text[site.offset + len(new) :][:20]) is not None
    )
    in_parameters = bool(blocks) and blocks[0].first == site.line and not blocks[0].is_class and not own_name
    if inside and inside[0].is_class and not in_parameters and scopes.declares_member(line, new):
        return _declared_member(edit, source, old, new)
    if is_keyword(source, site.offset, site.offset + len(new)):
        return None
    if own_name and scopes.is_receiver_method(line, new):
        return _declared_member(edit, source, old, new)
    for block in blocks:
        in_head = block.first <= site.line < block.body
        if block.is_class or (block.first == site.line and own_name):
            continue
        if not (in_head or scopes.binds(source, block, new) or scopes.binds(source, block, old)):
            continue
        declared = [
            one.line
            for one in sites
            if scopes.binds_in(source, source.lines[one.line], new) or block.first <= one.line < block.body
        ]
        # At a use, another variable is meant more often than another name (measured); and where the old name was bound
        # above, a second variable was made of the one.
        if not declared or (not in_head and scopes.binds_above(source, block, old, min(declared))):
            return None
        head = source.lines[block.first].strip()
        return Rename(old, new, edit.uri, "local", "code", anchor=block.first, head=head, declared=True)
    # Where the old name is still defined, a copy got a name of its own: the original keeps its.
    if scopes.defines(source, old) or not any(scopes.binds_in(source, source.lines[one.line], new) for one in sites):
        return None
    return Rename(old, new, edit.uri, "file", "code", declared=True)


def _declared_member(edit: Edit, source: Source, old: str, new: str) -> Rename | None:
    """Return the rename of a method or field at its declaration; of a common name only its own object's uses are meant."""
    if scopes.defines(source, old):
        return None
    family = source.language.name if source.language is not None else ""
    own = "self" if family in {"python", "rust"} else "this"
    receiver = own if old in COMMON_MEMBERS else None
    bare = family in {"java", "c"}
    return Rename(old, new, edit.uri, "member", "code", receiver=receiver, declared=True, also_plain=bare)


def _member(edit: Edit, source: Source, site: _Site, old: str, new: str) -> Rename | None:
    """Return the rename of a member at a use: the same object's other uses, within its class for an object's own."""
    receiver = site.receiver or ""
    known = {site.offset}
    for match in re.finditer(rf"(?:\.|->|::)\s*{re.escape(new)}(?!\w)", source.text):
        offset = match.end() - len(new)
        if offset not in known and receiver_at(source, offset) == receiver and source.zone(offset) == "code":
            return None
    blocks = scopes.enclosing(source, site.line)
    if receiver in _SELVES:
        owner = next((block for block in blocks if block.is_class), None)
        head = source.lines[owner.first].strip() if owner is not None else ""
        anchor = owner.first if owner is not None else 0
        return Rename(old, new, edit.uri, "member", "code", receiver=receiver, anchor=anchor, head=head)
    return Rename(old, new, edit.uri, "member", "code", receiver=receiver) if receiver else None
