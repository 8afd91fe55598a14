"""What must stay true of the code whatever is added to it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "server" / "dragoman"
LONGEST_MODULE = 500


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_imports_point_down_the_floor_plan() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\nSee server/ARCHITECTURE.md, Imports."


def test_no_module_is_too_long() -> None:
    sources = [
        *modules(),
        *sorted((ROOT / "tests").rglob("*.py")),
        *sorted((ROOT / "vscode-client" / "src").rglob("*.ts")),
    ]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    long = {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONGEST_MODULE}

    assert len(sources) > 30
    assert not long, f"over {LONGEST_MODULE} lines, the design asks for another room: {long}"


def test_nothing_but_the_command_line_prints() -> None:
    """Standard output belongs to the protocol: a stray print breaks the editor's connection."""
    found = []
    for path in modules():
        if path.is_relative_to(PACKAGE / "cli") or path.is_relative_to(PACKAGE / "demo"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                to_stderr = any(
                    keyword.arg == "file" and "stderr" in ast.unparse(keyword.value) for keyword in node.keywords
                )
                if not to_stderr:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert not found


def test_every_module_says_what_lives_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert not silent


def test_there_are_no_junk_drawers() -> None:
    names = {path.stem for path in modules()}

    assert not names & {"utils", "util", "helpers", "helper", "common", "misc"}


def test_markdown_has_one_sentence_a_line() -> None:
    """A diff then shows which sentence changed."""
    sentence_end = re.compile(r"(?<![A-Z0-9]\b)(?<!e\.g)(?<!i\.e)[a-z)`\"][.!?] [A-Z]")
    found = []
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "server" / "ARCHITECTURE.md"]:
        fenced = False
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif not fenced and not line.startswith("|") and sentence_end.search(line):
                found.append(f"{path.name}:{number}")

    assert not found


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock", "vscode-client/package-lock.json"])
def test_lock_files_hold_no_addresses(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert "--index-url" not in text
    assert '"resolved": "http' not in text
    assert not re.search(r"https?://\S+\.(?:whl|tgz|tar\.gz)", text)


def test_the_keystroke_path_does_not_import_what_it_does_not_need() -> None:
    """Start-up and memory: tokenizers, terminals, gateways and model engines stay out of the language server."""
    heavy = [
        "tiktoken",
        "rich",
        "typer",
        "fastapi",
        "sqlalchemy",
        "aiosqlite",
        "alembic",
        "psycopg",
        "redis",
        "mcp",
        "xllamacpp",
        "pip",
        "jsonschema",
    ]
    code = (
        "import sys, dragoman.app, dragoman.lsp.server, dragoman.editor, dragoman.models.providers.transport\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
