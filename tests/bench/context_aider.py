"""A peer: aider's repository map, from aider's own package, which lives in an environment of its own.

    python -m tests.bench.context_aider

The command makes that environment (once, some 150 MB); the measurement does the same when it is missing.
Of the package only the map is used, so of its two hundred requirements only those of the map are installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from dragoman.context.workspace.outline import identifiers
from tests.bench.context_windows import WINDOW, Peer
from tests.bench.context_workspace import Piece, Question
from tests.bench.report import RESULTS

AIDER = "aider-chat==0.86.2"
REQUIREMENTS = (
    "diskcache==5.6.3", "grep-ast==0.9.0", "networkx==3.4.2", "numpy>=1.26", "packaging>=24", "pathspec>=0.12", "pygments>=2.19",
    "rich>=14", "scipy>=1.13", "tqdm>=4.67", "tree-sitter==0.25.2", "tree-sitter-language-pack==0.13.0",
)  # fmt: skip
FOLDER = RESULTS / "aider-map"
SERVICE = Path(__file__).with_name("context_aider_service.py")


def is_ready() -> bool:
    """Whether the environment is there, made now if need be; says why when it cannot be had."""
    marker = FOLDER / "ready"
    if marker.exists():
        return True
    print(f"getting {AIDER} for its repository map, once", file=sys.stderr)
    try:
        venv.create(FOLDER, with_pip=True, clear=True)
        pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Its other requirements are missing on purpose; what pip says to that helps nobody.
        subprocess.run([*pip, "--only-binary=:all:", *REQUIREMENTS], check=True, capture_output=True)
        subprocess.run([*pip, "--no-deps", "--ignore-requires-python", AIDER], check=True, capture_output=True)
        subprocess.run([pip[0], "-c", "import aider.repomap"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"aider is left out, its package could not be installed: {error}", file=sys.stderr)
        return False
    marker.touch()
    return True


class AiderMap(Peer):
    """The map that aider sends with a chat about the target: what it and the lines before the cursor refer to.

    The ranking is made once for all budgets of a question, so its time shows at the first.
    """

    name = "aider"
    ranks_alike = False

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def open(self, root: Path, texts: Mapping[str, str], changing: frozenset[str]) -> None:
        self.close()
        self._folder = root
        self._process = subprocess.Popen(
            [str(FOLDER / "bin" / "python"), str(SERVICE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            # It walks through sets: without this, two runs differ by a point.
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        # Reading all files is its index; the first one stands for the chat's.
        first, *others = texts
        self._ask(first, others, [], 1024)

    def change(self, paths: list[str]) -> None:
        self._asked += 1

    def gather(self, question: Question, budget: int) -> list[Piece]:
        others = [path for path in question.texts if path != question.path]
        idents = identifiers("\n".join(question.prefix.split("\n")[-WINDOW:]))
        return [Piece("repository map", self._ask(question.path, others, idents, budget))]

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.communicate()

    def _ask(self, chat: str, others: list[str], idents: list[str], budget: int) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"root": str(self._folder), "chat": chat, "others": others, "idents": sorted(set(idents))}
        self._process.stdin.write(json.dumps(request | {"budget": budget, "question": self._asked}) + "\n")
        self._process.stdin.flush()
        text: str = json.loads(self._process.stdout.readline())["text"]
        return text


if __name__ == "__main__":
    sys.exit(0 if is_ready() else 1)
