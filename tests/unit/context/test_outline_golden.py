"""Golden cases of what is read from a file, language by language.

A case in ``tests/golden/outline/*.txt`` begins with ``## name.ending``; what follows is the file, and behind ``-- outline``
are its symbols (kind, name, lines from 1, head, ``: type``, ``<bases>``, ``# documentation``), imports and pieces.
``pytest --update-golden`` writes what is read now; read the diff before you commit it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dragoman.context.workspace.outline import Outline
from dragoman.context.workspace.reading import read_outline
from dragoman.syntax.file_types import language_of

FOLDER = Path(__file__).parents[2] / "golden" / "outline"


@dataclass(frozen=True)
class Case:
    path: Path
    name: str
    text: str
    outline: str


def read_cases(path: Path) -> list[Case]:
    cases = []
    for block in re.split(r"(?m)^(?=## \S+\.\w+$)", path.read_text(encoding="utf-8"))[1:]:
        head, _, body = block.partition("\n")
        text, _, outline = body.partition("-- outline\n")
        cases.append(Case(path, head.removeprefix("## "), text, outline.strip("\n")))
    return cases


CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path)]


def rendered(outline: Outline) -> str:
    lines = []
    for symbol in outline.symbols:
        depth, parent = 0, symbol.parent
        while parent >= 0:
            depth, parent = depth + 1, outline.symbols[parent].parent
        said = f"{'  ' * depth}{symbol.kind} {symbol.name} {symbol.line + 1}-{symbol.end_line + 1} | {symbol.signature}"
        said += f" : {symbol.type}" if symbol.type else ""
        said += f" <{'; '.join(symbol.bases)}>" if symbol.bases else ""
        lines.append(said + (f"  # {symbol.doc}" if symbol.doc else ""))
    for taken in outline.imports:
        level = f" level {taken.level}" if taken.level else ""
        lines.append(f"import {taken.module!r} {taken.name!r} as {taken.bound!r} {taken.line + 1}{level}")
    pieces = " ".join(f"{chunk.first_line + 1}-{chunk.last_line + 1}" for chunk in outline.chunks)
    return "\n".join([*lines, f"pieces {pieces}"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path.stem}: {case.name}")
def test_golden(case: Case, update_golden: bool) -> None:
    read = rendered(read_outline(language_of(case.name), case.text))

    if update_golden and read != case.outline:
        whole = case.path.read_text(encoding="utf-8")
        old = f"## {case.name}\n{case.text}-- outline\n{case.outline}\n"
        assert whole.count(old) == 1, f"{case.path.name}: two cases look alike"
        case.path.write_text(whole.replace(old, f"## {case.name}\n{case.text}-- outline\n{read}\n"), encoding="utf-8")
        return
    assert read == case.outline


def test_every_language_has_a_case() -> None:
    languages = {language_of(case.name) for case in CASES}

    assert languages >= {
        "c", "cpp", "csharp", "css", "go", "html", "java", "javascript", "json", "kotlin", "lua", "markdown", "php",
        "plaintext", "python", "ruby", "rust", "scala", "shellscript", "sql", "swift", "toml", "typescript",
        "typescriptreact", "yaml",
    }  # fmt: skip
