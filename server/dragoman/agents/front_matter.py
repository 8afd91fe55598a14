"""The head of an agent file: TOML between lines of ``+++``, or the little of YAML that such heads use between ``---``."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, Final

_KEY = re.compile(r"""(?P<indent>[ ]*)(?P<key>"[^"]*"|'[^']*'|[\w-].*?)[ ]*:(?:[ ]+(?P<value>.*))?$""")
_LINE_CHARS: Final = 2_000
"""A longer line is no key."""

_ITEM = re.compile(r"[ ]*-[ ]+(?P<value>.+)$")


def split_head(text: str) -> tuple[dict[str, Any], str]:
    """Return what the head says and the text below it; raises ValueError with a sentence and a line's number.

    A text without a head says nothing.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    lines = text.split("\n")
    mark = lines[0].rstrip()
    if mark not in {"---", "+++"}:
        return {}, text.strip()
    end = next((number for number in range(1, len(lines)) if lines[number].rstrip() == mark), None)
    if end is None:
        raise ValueError(f"line 1: the head that {mark!r} begins has no end; write {mark!r} below its last key")
    head = lines[1:end]
    return _read_toml(head) if mark == "+++" else _read_keys(head), "\n".join(lines[end + 1 :]).strip()


def _read_toml(head: list[str]) -> dict[str, Any]:
    try:
        # The first line holds the mark, so that the numbers in errors are the file's.
        return tomllib.loads("\n".join(["", *head]))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the head is no TOML: {error}") from None


def _read_keys(head: list[str]) -> dict[str, Any]:
    """Read ``key: value`` lines; a key without a value has indented keys or ``- items`` below it."""
    read: dict[str, Any] = {}
    open_key: str | None = None
    for number, line in enumerate(head, 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) > _LINE_CHARS:
            raise ValueError(f"line {number}: is longer than {_LINE_CHARS:,} characters")
        item, found = _ITEM.match(line), _KEY.match(line.rstrip())
        if item is not None and open_key is not None:
            items = read[open_key] = read[open_key] or []
            if not isinstance(items, list):
                raise ValueError(f"line {number}: {open_key!r} has both keys and items")
            items.append(_value(item["value"], number))
        elif found is None:
            raise ValueError(f"line {number}: {line.strip()[:60]!r} is no `key: value`")
        elif found["indent"] and open_key is not None:
            table = read[open_key] = read[open_key] or {}
            if not isinstance(table, dict):
                raise ValueError(f"line {number}: {open_key!r} has both keys and items")
            table[_plain(found["key"])] = _value(found["value"] or "", number)
        elif found["indent"]:
            raise ValueError(f"line {number}: {line.strip()[:60]!r} is indented below nothing")
        else:
            key = _plain(found["key"])
            if key in read:
                raise ValueError(f"line {number}: {key!r} stands there twice")
            value = (found["value"] or "").strip()
            read[key], open_key = (_value(value, number), None) if value else (None, key)
    return {key: value for key, value in read.items() if value is not None}


def _value(text: str, number: int) -> Any:
    text = text.strip()
    if text[:1] in {'"', "'"}:
        if len(text) < 2 or text[-1] != text[0]:
            raise ValueError(f"line {number}: the quote of {text[:60]!r} is not closed")
        return _plain(text)
    text = re.sub(r"\s+#.*$", "", text)
    if text.startswith(("[", "{")):
        if text[-1] not in "]}":
            raise ValueError(f"line {number}: {text[:60]!r} is not closed; write it on one line")
        parts = [part.strip() for part in text[1:-1].split(",") if part.strip()]
        if text[0] == "[":
            return [_value(part, number) for part in parts]
        pairs = [part.rpartition(":") for part in parts]
        return {_plain(key.strip()): _value(value, number) for key, _, value in pairs}
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in {'"', "'"} else text
