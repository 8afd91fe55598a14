"""The names that stand for secrets while they are away: made, put back, and recognised when a model has garbled one."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable

from dragoman.limits import PLACEHOLDERS
from dragoman.security.marks import LIKENESS, MARK

_DIGITS = 10
_LENGTH = len(MARK) + _DIGITS
_KEY = secrets.token_bytes(32)
_PLACEHOLDER = re.compile(rf"{MARK}[0-9a-f]{{{_DIGITS}}}")


class Placeholders:
    """Which placeholder stands for which secret.

    A placeholder is one identifier, so it survives in code, strings and file names.
    It is a keyed hash with a key that lives as long as this process: the same secret always has the same one, and it says
    nothing about the secret to who has not got the key.
    """

    def __init__(self) -> None:
        self._secrets: OrderedDict[str, str] = OrderedDict()

    def hide(self, secret: str) -> str:
        """Return the placeholder of ``secret``."""
        salt = b""
        while True:
            digest = hashlib.blake2b(
                secret.encode("utf-8", "surrogatepass"), key=_KEY, salt=salt, digest_size=_DIGITS // 2
            )
            name = MARK + digest.hexdigest()
            if self._secrets.setdefault(name, secret) == secret:
                break
            salt = secrets.token_bytes(
                8
            )  # Two secrets of one name: one in a billion, but each must come back as itself.
        self._secrets.move_to_end(name)
        if len(self._secrets) > PLACEHOLDERS:
            self._secrets.popitem(last=False)
        return name

    def restore(self, text: str, encode: Callable[[str], str] | None = None) -> str:
        """Put every secret back in the place of its placeholder, written by ``encode``; what is none of ours stays."""
        if MARK not in text:
            return text

        def put_back(match: re.Match[str]) -> str:
            secret = self._secrets.get(match[0])
            if secret is None:
                return match[0]
            return secret if encode is None else encode(secret)

        return _PLACEHOLDER.sub(put_back, text)

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return where placeholders of ours stand."""
        if MARK not in text:
            return []
        return [match.span() for match in _PLACEHOLDER.finditer(text) if match[0] in self._secrets]

    def find_likeness(self, text: str) -> int | None:
        """Return where a mark stands that is not part of a placeholder of ours: made up, or with other digits."""
        places = self.find(text)
        for match in LIKENESS.finditer(text):
            if not any(start <= match.start() < end for start, end in places):
                return match.start()
        return None

    def find_garbled(self, text: str) -> int | None:
        """Return where something stands that was meant to be a placeholder and is none, None where there is nothing.

        Another case, lost or added digits, a mark with a letter missing, digits without their mark.
        """
        if (likeness := self.find_likeness(text)) is not None:
            return likeness
        places = self.find(text)
        starts = {start for start, _ in places}
        for start, end in places:
            before, behind = text[start - 1 : start], text[end : end + 1]
            glued = (
                (behind.isascii() and behind.isalnum()) or behind == "_" or (before == "_" and start - 1 not in starts)
            )
            if glued and end not in starts:
                return start
        lowered = text.lower()
        for name in self._secrets:
            digits = name[len(MARK) :]
            found = lowered.find(digits)
            while found >= 0:
                if not any(start <= found < end for start, end in places):
                    return found
                found = lowered.find(digits, found + 1)
        return None

    def may_begin_in(self, text: str) -> int:
        """Return how many characters at the end of ``text`` may become a placeholder of ours with what comes next."""
        if not self._secrets:
            return 0
        start = text.find("D", max(0, len(text) - _LENGTH + 1))
        while start >= 0:
            tail = text[start:]
            if MARK.startswith(tail) or (
                tail.startswith(MARK) and any(name.startswith(tail) for name in self._secrets)
            ):
                return len(tail)
            start = text.find("D", start + 1)
        return 0


class StreamRestorer:
    """Puts secrets back in a text that comes in pieces, and holds back no more than what may still become a placeholder."""

    def __init__(self, placeholders: Placeholders, encode: Callable[[str], str] | None = None) -> None:
        self._placeholders = placeholders
        self._encode = encode
        self._held = ""
        self.restored = False
        """Whether any placeholder was found so far."""

    @property
    def held(self) -> int:
        """Characters of the answer that were not given out yet."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """Take the next piece and return what is certain by now."""
        text = self._held + piece
        keep = self._placeholders.may_begin_in(text)
        self._held = text[len(text) - keep :] if keep else ""
        return self._give(text[: len(text) - keep])

    def end(self) -> str:
        """Return what was held back, for nothing more will come."""
        text, self._held = self._held, ""
        return self._give(text)

    def _give(self, text: str) -> str:
        whole = self._placeholders.restore(text, self._encode)
        self.restored = self.restored or whole != text
        return whole
