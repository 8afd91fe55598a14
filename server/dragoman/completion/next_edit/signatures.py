"""A function's parameters changed: its calls are due, as far as they were right before."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from dragoman.completion.next_edit import scopes
from dragoman.completion.next_edit.history import Edit
from dragoman.completion.next_edit.languages import stem_and_suffix
from dragoman.completion.next_edit.parameters import Part, Signature, arguments, closing, signatures
from dragoman.completion.next_edit.patterns import NextEditReason, Place
from dragoman.completion.next_edit.rename import COMMON_MEMBERS, Rename, find_rename, receiver_at
from dragoman.completion.next_edit.source import Source
from dragoman.completion.next_edit.tokens import is_word_char, narrow
from dragoman.limits import NEXT_EDIT_PLACES

_KEYWORD: Final = re.compile(r"(\w+)\s*=(?![=>])\s*", re.DOTALL)
_SELVES: Final = frozenset({"self", "this", "cls"})
_CONSTRUCTORS: Final = frozenset({"__init__", "__new__", "constructor"})
_DEFINING: Final = re.compile(
    r"(?:\b(?:def|function\*?|func|fn|fun|class|sub|macro_rules!)|#\s*define)\s*(?:\([^)\n]*\)\s*)?\Z"
)


@dataclass(slots=True)
class SignatureChange:
    """What became of a function's parameters, and the calls that have to follow."""

    origin: str
    was: Signature
    now: Signature
    family: str
    called: str
    """The name that calls use: the class's for its constructor."""
    rename: Rename | None = None
    """The renamed parameter's uses in the body."""
    reason: NextEditReason = "signature"
    _sources: dict[int, int] = field(default_factory=dict)
    """For each parameter now, which one it was."""
    _first_seen: dict[str, frozenset[str]] = field(default_factory=dict)
    _rewrites: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What the change is."""
        parameters = ", ".join(one.text for one in self.now.parameters)
        return f"signature {self.called}({', '.join(self.was.names)}) ({parameters}) {self.origin}"

    def may_touch(self, line: str) -> bool:
        """Tell whether a line names the function or the parameter; its arguments may stand on lines that do not."""
        return self.called in line or (self.rename is not None and self.rename.may_touch(line))

    def absorbs(self, edit: Edit) -> bool:
        """Tell whether an edit is one of the changes that were offered."""
        if self.rename is not None and self.rename.absorbs(edit):
            return True
        for old, new in self._rewrites.items():
            if old in edit.before and edit.after in {edit.before.replace(old, new, 1), edit.before.replace(old, new)}:
                return True
        return False

    def places(self, source: Source) -> list[Place]:
        """Return the calls, and the renamed parameter's uses, that are due."""
        found = self.rename.places(source) if self.rename is not None else []
        found += self._calls(source)
        return sorted(found, key=lambda place: place.start)

    def _calls(self, source: Source) -> list[Place]:
        found: list[Place] = []
        seen: set[str] = set()
        asked = self._first_seen.get(source.uri)
        for match in re.finditer(rf"{re.escape(self.called)}\s*(\()", source.text):
            if is_word_char(source.text[match.start() - 1 : match.start()]):
                continue
            if source.zone(match.start()) != "code" or not self._is_call(source, match.start()):
                continue
            opened = match.start(1)
            parts, close = arguments(source, opened), closing(source, opened)
            if parts is None or close is None:
                continue
            old = source.text[match.start() : close + 1]
            seen.add(old)
            # A call that was not there when the change was made was written for the new parameters, or is done already.
            if asked is not None and old not in asked:
                continue
            made = self._rewrite(source, parts, opened, close)
            if made is None:
                found.append(Place(close, close, "", f"update the call of `{self.called}`"))
            elif made != source.text[opened + 1 : close]:
                start, end, text = narrow(source.text[opened + 1 : close], made, opened + 1)
                found.append(Place(start, end, text, self._label(source.text[start:end], text)))
                self._rewrites[old] = source.text[match.start() : opened + 1] + made + ")"
            if len(found) >= NEXT_EDIT_PLACES:
                break
        self._first_seen.setdefault(source.uri, frozenset(seen))
        return found

    def _label(self, old: str, new: str) -> str:
        old, new = old.strip(" ,\n"), new.strip(" ,\n")
        what = f"replace `{old}` by `{new}`" if old and new else f"insert `{new}`" if new else f"remove `{old}`"
        return f"{what} in the call of `{self.called}`"

    def _is_call(self, source: Source, start: int) -> bool:
        """Tell whether the name at ``start`` is this function, not its definition or another one's name."""
        before = source.text[max(0, start - 80) : start]
        if _DEFINING.search(before):
            return False
        receiver = receiver_at(source, start)
        same = source.uri == self.origin
        if self.now.is_method:
            if receiver is None:
                return False
            return (receiver in _SELVES and same) or self.called not in COMMON_MEMBERS
        if self.family in {"java", "c"}:
            # Declarations and definitions have a type in front of the name; so have calls after these words only.
            word = re.search(r"([\w>\]*&]+)[ \t*&]+\Z", before)
            if word is not None and word[1] not in {"return", "new", "else", "throw", "await", "case", "co_await"}:
                return False
            return receiver in {None, "this"} or self.called not in COMMON_MEMBERS
        if same:
            return receiver is None
        stem = stem_and_suffix(self.origin)[0]
        if receiver is not None:
            return receiver == stem or (self.family == "go" and self.called[:1].isupper())
        return self.family == "go" or _imports(source, self.called)

    def _rewrite(self, source: Source, parts: list[Part], opened: int, close: int) -> str | None:
        """Return the new text between the brackets; the same text when the call is not due; None when nobody can know it."""
        text = source.text[opened + 1 : close]
        keywords_allowed = self.family == "python"
        positional: dict[int, str] = {}
        by_keyword: dict[int, tuple[str, str]] = {}
        extras: list[str] = []
        others: list[str] = []
        was = self.was.parameters
        takers = [index for index, one in enumerate(was) if not one.catches_all and not one.keyword_only]
        for number, part in enumerate(parts):
            match = _KEYWORD.match(part.text) if keywords_allowed else None
            if part.text.startswith(("*", "...")) and self.family in {"python", "javascript"}:
                return text
            if match is not None:
                index = next((i for i, one in enumerate(was) if one.name == match[1] and not one.catches_all), None)
                if index is None and not any(one.catches_all for one in was):
                    return text
                if index is None:
                    others.append(part.text)
                else:
                    by_keyword[index] = (match[0], part.text[match.end() :])
            elif number < len(takers):
                positional[takers[number]] = part.text
            elif any(one.catches_all for one in was):
                extras.append(part.text)
            else:
                return text
        given = positional.keys() | by_keyword.keys()
        if any(not one.optional and index not in given for index, one in enumerate(was)):
            return text
        made = self._arrange(source, opened, positional, by_keyword, extras)
        return None if made is None else _join(source, parts, opened, close, [*made, *others])

    def _arrange(
        self,
        source: Source,
        opened: int,
        positional: dict[int, str],
        by_keyword: dict[int, tuple[str, str]],
        extras: list[str],
    ) -> list[str] | None:
        """Return the arguments for the new parameters, None when one is missing or cannot stand where it must."""
        keywords_allowed = self.family == "python"
        made: list[str] = []
        late: list[str] = []
        gap = False
        for index, parameter in enumerate(self.now.parameters):
            if parameter.catches_all:
                continue
            origin = self._sources.get(index)
            if origin is not None and origin in by_keyword:
                gap = True
                continue
            value = positional.get(origin) if origin is not None else None
            if value is None:
                if parameter.optional:
                    gap = True
                    continue
                if origin is not None or not _is_at_hand(source, opened, parameter.name):
                    return None
                value = parameter.name
            if not gap and not parameter.keyword_only:
                made.append(value)
            elif keywords_allowed and not parameter.positional_only:
                late.append(f"{parameter.name}={value}")
            else:
                return None
        if extras and gap:
            return None
        kept = {origin: self.now.parameters[index].name for index, origin in self._sources.items()}
        for origin, (head, value) in by_keyword.items():
            if origin in kept:
                late.append(head.replace(self.was.parameters[origin].name, kept[origin], 1) + value)
        return [*made, *extras, *late]


def find_signature_change(edit: Edit, source: Source) -> SignatureChange | None:
    """Return the changed parameter list that an edit is, judged by the text as it is after it; None when it is none."""
    heads = changed_head(edit, *source.around(edit.first))
    return None if heads is None else _change(edit, source, *heads)


def changed_head(edit: Edit, source: Source, line: int) -> tuple[Signature, Signature] | None:
    """Return a function's head before and after an edit that begins at ``line`` of a source, None when none changed."""
    if source.language is None:
        return None
    start = source.start_of(line)
    end = start + len(edit.after)
    if source.text[start:end] != edit.after:
        return None
    fresh = signatures(source, start, end)
    if not fresh:
        return None
    text = source.text[:start] + edit.before + source.text[end:]
    earlier = Source(source.uri, source.version, source.language, text.splitlines(keepends=True))
    past = signatures(earlier, start, start + len(edit.before))
    for now in fresh:
        matching = [one for one in past if one.name == now.name]
        if len(matching) == 1 and matching[0].parameters != now.parameters:
            return matching[0], now
    return None


def _change(edit: Edit, source: Source, was: Signature, now: Signature) -> SignatureChange | None:
    old, new = was.names, now.names
    if len(set(old)) != len(old) or len(set(new)) != len(new) or "" in old or "" in new:
        return None
    sources = {new.index(name): old.index(name) for name in new if name in old}
    gone = [index for index in range(len(old)) if index not in sources.values()]
    come = [index for index in range(len(new)) if index not in sources]
    renamed = len(gone) == len(come) == 1 and gone == come and len(old) == len(new)
    if renamed:
        sources[come[0]] = gone[0]
    family = source.language.name if source.language is not None else ""
    same_calls = all(sources.get(index) == index for index in range(len(new))) and len(old) == len(new)
    as_needed = all(
        not one.optional or now.parameters[index].optional for index, one in enumerate(was.parameters[: len(new)])
    )
    if same_calls and as_needed and not (renamed and family == "python"):
        return None
    called, is_method = now.name, now.is_method
    if called in _CONSTRUCTORS:
        owner = next((block for block in scopes.enclosing(source, edit.first) if block.is_class), None)
        name = re.search(r"\bclass\s+(\w+)", source.lines[owner.first]) if owner is not None else None
        if name is None:
            return None
        called, is_method = name[1], False
    if now.name not in _CONSTRUCTORS and _defined(source, now.name) > 1:
        # Two of that name: which of them a call means is not to be seen from here.
        return None
    made = SignatureChange(edit.uri, was, replace(now, is_method=is_method), family, called, _sources=sources)
    made.rename = find_rename(edit, source) if renamed else None
    return made


def _defined(source: Source, name: str) -> int:
    """Count the functions of this name."""
    found = re.finditer(rf"{re.escape(name)}\s*[(<\[]", source.text)
    return sum(_DEFINING.search(source.text[max(0, one.start() - 80) : one.start()]) is not None for one in found)


def _imports(source: Source, name: str) -> bool:
    return (
        re.search(rf"^[^\n]*\b(?:import|from|use|require)\b[^\n]*\b{re.escape(name)}\b", source.text, re.MULTILINE)
        is not None
    )


def _is_at_hand(source: Source, offset: int, name: str) -> bool:
    """Tell whether the function around a call has a value of this name: then that is what the new parameter is for."""
    if len(name) < 2:
        return False
    line, _ = source.position(offset)
    blocks = [block for block in scopes.enclosing(source, line) if not block.is_class]
    return bool(blocks) and scopes.binds(source, blocks[0], name)


def _join(source: Source, parts: list[Part], opened: int, close: int, made: list[str]) -> str:
    """Return the arguments as the text between the brackets, laid out as the old ones were."""
    text = source.text
    if len(made) == len(parts):
        pieces, at = [], opened + 1
        for part, new in zip(parts, made, strict=True):
            pieces += [text[at : part.start], new]
            at = part.end
        return "".join((*pieces, text[at:close]))
    if not made:
        return ""
    if not parts:
        return ", ".join(made)
    separator = text[parts[0].end : parts[1].start] if len(parts) > 1 else ", "
    if separator.strip() != ",":
        separator = ", "
    return text[opened + 1 : parts[0].start] + separator.join(made) + text[parts[-1].end : close]
