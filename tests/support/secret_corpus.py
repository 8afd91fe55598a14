"""The corpus of `tests/golden/redaction`: texts in which every secret is marked and none is written out.

Cases are separated by ``----``; a case's first line is its name.
``⟦gh|p_|62*36⟧`` is a secret of pieces: texts, and ``ALPHABET*LENGTH`` for characters that are rolled when it is read, so that no
file holds anything that looks like a key to a scanner. ``⟦=hunter2⟧`` is a secret as it stands.
``⟪BEGIN RSA⟫`` becomes the mark of a private key, ``⟪BEGIN CERTIFICATE⟫`` that of a certificate.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden" / "redaction"
ALPHABETS = {
    "10": string.digits,
    "16": "0123456789abcdef",
    "b32": string.ascii_uppercase + "234567",
    "B36": string.ascii_uppercase + string.digits,
    "52": string.ascii_letters,
    "62": string.ascii_letters + string.digits,
    "64": string.ascii_letters + string.digits + "+/",
    "url": string.ascii_letters + string.digits + "_-",
}
_MARKED = re.compile(r"⟦(=?)([^⟧]*)⟧|⟪(BEGIN|END) ?([A-Z]*)⟫")
_ROLLED = re.compile(r"(\w+)\*(\d+)")


@dataclass(frozen=True)
class Case:
    """A text and the places of its secrets."""

    file: str
    name: str
    text: str
    secrets: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def read_corpus(seed: int = 0, folder: Path = FOLDER) -> Iterator[Case]:
    """Yield every case with secrets rolled by ``seed``."""
    for path in sorted(folder.glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("----\n"):
            name, _, marked = part.partition("\n")
            yield _roll(path.stem, name, marked, random.Random(f"{path.stem}/{name}/{seed}"))


def _roll(file: str, name: str, marked: str, dice: random.Random) -> Case:
    text, places, end = "", [], 0
    for match in _MARKED.finditer(marked):
        text += marked[end : match.start()]
        end = match.end()
        if match[3]:
            text += (
                f"-----{match[3]} {match[4] if match[4] == 'CERTIFICATE' else f'{match[4]} PRIVATE KEY'.strip()}-----"
            )
            continue
        secret = match[2] if match[1] else "".join(_piece(piece, dice) for piece in match[2].split("|"))
        places.append((len(text), len(text) + len(secret)))
        text += secret
    return Case(file, name, text + marked[end:], tuple(places))


def _piece(piece: str, dice: random.Random) -> str:
    rolled = _ROLLED.fullmatch(piece)
    if rolled is None or rolled[1] not in ALPHABETS:
        return piece
    return "".join(dice.choice(ALPHABETS[rolled[1]]) for _ in range(int(rolled[2])))
