"""Packages of the project's own environment: read when nobody waits, never from outside of it."""

from __future__ import annotations

import json

import pytest

from tests.support.small_index import SmallIndex

TOWER = "class Tower:\n    def raise_flag(self, colour: str) -> None: ...\n"
FILES = {
    "app.py": "from castle import Tower\n",
    ".venv/pyvenv.cfg": "home = /usr\n",
    ".venv/lib/python3.11/site-packages/castle/__init__.py": "from .towers import Tower\n",
    ".venv/lib/python3.11/site-packages/castle/towers.py": TOWER,
}


def settled(index: SmallIndex, path: str, marked: str) -> str:
    """Ask until there is nothing left to read, as a person does by typing on."""
    for _ in range(10):
        text = index.text(path, marked, "imports")
        while index.retriever.work():
            pass
    return text


@pytest.fixture
def index(tmp_path):
    index = SmallIndex(tmp_path, {})
    for path, text in FILES.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    index.write({"app.py": FILES["app.py"]})
    return SmallIndex(tmp_path, {"app.py": FILES["app.py"]})


def test_the_first_question_does_not_wait_and_a_later_one_has_it(index) -> None:
    assert index.text("app.py", "from castle import Tower\n|", "imports") == ""

    assert "def raise_flag(self, colour: str) -> None" in settled(index, "app.py", "from castle import Tower\n|")


def test_an_own_module_comes_before_an_installed_one(index) -> None:
    index.write({"castle.py": "class Tower:\n    def ring_bell(self) -> None: ...\n"})

    text = settled(index, "app.py", "from castle import Tower\n|")

    assert "ring_bell" in text
    assert "raise_flag" not in text


def test_a_link_out_of_the_environment_is_not_followed(tmp_path, index) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "__init__.py").write_text("class Spy:\n    def tell_secret(self): ...\n", encoding="utf-8")
    (tmp_path / ".venv/lib/python3.11/site-packages/spy").symlink_to(outside)
    index.write({"app.py": "from spy import Spy\n"})

    assert settled(index, "app.py", "from spy import Spy\n|") == ""


def test_without_an_environment_nothing_is_looked_for(tmp_path) -> None:
    index = SmallIndex(tmp_path, {"app.py": "from castle import Tower\nimport json\n"})

    assert settled(index, "app.py", "from castle import Tower\nimport json\n|") == ""


@pytest.mark.parametrize("types", ["types", "typings", None])
def test_declarations_of_a_script_package(tmp_path, types) -> None:
    folder = tmp_path / "node_modules" / "castle"
    folder.mkdir(parents=True)
    name = "index.d.ts" if types is None else "lib.d.ts"
    (folder / "package.json").write_text(json.dumps({types: name} if types else {}), encoding="utf-8")
    (folder / name).write_text("export interface Tower { raiseFlag(colour: string): void; }\n", encoding="utf-8")
    index = SmallIndex(tmp_path, {"app.ts": "import { Tower } from 'castle';\n"})

    assert "raiseFlag(colour: string): void" in settled(index, "app.ts", "import { Tower } from 'castle';\n|")


def test_declarations_outside_of_their_package_are_not_read(tmp_path) -> None:
    folder = tmp_path / "node_modules" / "castle"
    folder.mkdir(parents=True)
    (tmp_path / "outside.d.ts").write_text("export interface Spy { tellSecret(): void; }\n", encoding="utf-8")
    (folder / "package.json").write_text(json.dumps({"types": "../../outside.d.ts"}), encoding="utf-8")
    index = SmallIndex(tmp_path, {"app.ts": "import { Spy } from 'castle';\n"})

    assert settled(index, "app.ts", "import { Spy } from 'castle';\n|") == ""
