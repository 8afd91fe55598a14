"""What an open file imports is read before the crawl gets there, and nothing that is ignored is."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from dragoman.context.limits import RETRIEVAL_UNREAD
from dragoman.context.retrieval.place import Place
from dragoman.context.retrieval.unread import Unread
from dragoman.context.workspace.client import IndexClient
from dragoman.context.workspace.outline import Import
from dragoman.context.workspace.place import index_file, lock_file
from dragoman.file_lock import try_lock
from tests.support.index import PATIENCE, write
from tests.support.small_index import SmallIndex

BELLS = "class Bell:\n    def ring_loudly(self, times: int) -> None: ...\n"
FILES = {
    "shop/till.py": "from shop.parts import Bell\nfrom shop.ignored import Purse\n\n\ndef close():\n    \n",
    "shop/parts/__init__.py": "from .bells import Bell\n",
    "shop/parts/bells.py": BELLS,
    "shop/ignored.py": "class Purse:\n    def count_gold(self): ...\n",
    ".gitignore": "ignored.py\n",
}
OPEN = Place("shop/till.py", "python", FILES["shop/till.py"], "", budget=512)


def test_each_question_asks_for_what_it_missed_until_nothing_is_missing(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {})
    write(tmp_path, FILES)
    asked = []
    for _ in range(4):
        text = "".join(one.text for one in index.retriever.gather(OPEN))
        while index.retriever.work():
            pass
        asked.append(sorted(index.retriever.wanted()))
        for path in asked[-1]:
            index.overlays.shade(path, FILES[path])

    assert asked == [
        ["shop/till.py"],
        ["shop/ignored.py", "shop/parts/__init__.py"],
        ["shop/parts/bells.py"],
        [],
    ]
    assert "def ring_loudly(self, times: int) -> None" in text


def test_a_new_module_that_is_not_saved_is_found(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {"app.py": "from bells import Bell\n"})
    index.overlays.open("bells.py", BELLS)

    assert "def ring_loudly" in index.text("app.py", "from bells import Bell\n|", "imports")


def test_it_asks_once_and_for_so_many_at_most(tmp_path: Path) -> None:
    unread = Unread(tmp_path)
    for number in range(RETRIEVAL_UNREAD + 5):
        unread.file(f"part{number}.py")
        unread.file(f"part{number}.py")

    assert len(unread.take()) == RETRIEVAL_UNREAD
    assert unread.take() == []


@pytest.mark.parametrize("candidate", ["../outside.py", "missing.py", "inside.py"])
def test_only_what_is_there_and_another_file_is_asked_for(tmp_path: Path, candidate: str) -> None:
    root = tmp_path / "root"
    write(root, {"inside.py": "", "other.py": ""})
    (tmp_path / "outside.py").write_text("", encoding="utf-8")
    unread = Unread(root)

    unread.module("inside.py", Import("outside", "", "outside", 0), [candidate, "other.py"])
    assert unread.take() == []
    assert unread.work()
    assert not unread.work()

    assert unread.take() == ["other.py"]


async def test_the_index_reads_imports_while_nothing_is_crawled(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    write(root, FILES)
    lock = lock_file(index_file(root))
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    client = IndexClient(root)
    try:
        # Another server's crawl goes on, as far as this one can see.
        assert try_lock(descriptor)
        texts: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while not texts or "def ring_loudly" not in texts[-1]:
                answer = await client.call("gather", OPEN.to_wire())
                texts.append("".join(one["text"] for one in answer["snippets"]))
                await asyncio.sleep(0.01)
        assert (await client.call("status"))["state"] == "waiting"
        assert "count_gold" not in "".join(texts)
    finally:
        await client.aclose()
        os.close(descriptor)
