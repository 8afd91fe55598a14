"""Where a name is used: what language servers know, else each place of the word, never beyond the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dragoman.agents.tools.policy import Policy, Rule
from dragoman.agents.tools.references import FindReferences
from dragoman.context.snippets import Snippet
from dragoman.errors import PathOutsideError
from tests.support.small_index import SmallIndex
from tests.support.tool_bench import ToolBench

FILES = {
    "shop/cart.py": "def total(items):\n    return sum(items)\n",
    "shop/bill.py": "from shop.cart import total\n\nsubtotal = 3\nprint(total([1]), subtotal)\n",
    "notes.md": "The total is shown.\n",
}


class Defined:
    """The index's answers, from the index itself."""

    def __init__(self, index: SmallIndex) -> None:
        self._index = index

    async def map(self, focus: object, **more: object) -> tuple[Snippet, ...]:
        raise AssertionError("nobody asks for a map")

    async def symbols(self, name: str, *, limit: int) -> tuple[Snippet, ...]:
        answer = self._index.retriever.call("definitions", {"name": name, "limit": limit})
        return tuple(Snippet.from_wire(one) for one in answer["snippets"])


class Servers:
    """Language servers that know what they are told to."""

    def __init__(self, *found: tuple[Path, int]) -> None:
        self.found = found
        self.asked: list[tuple[str, int, str]] = []

    async def usages(self, path: Path, line: int, name: str) -> Sequence[tuple[Path, int]]:
        self.asked.append((path.name, line, name))
        return self.found


async def test_without_language_servers_each_place_of_the_word_is_shown(tmp_path: Path) -> None:
    bench = ToolBench(tmp_path / "project")
    index = SmallIndex(bench.root, FILES)
    bench.registry.add(FindReferences(Defined(index)))
    *found, last = (await bench.call("find_references", name="shop.cart.total")).splitlines()
    assert sorted(found) == [
        "notes.md:1: The total is shown.",
        "shop/bill.py:1: from shop.cart import total",
        "shop/bill.py:4: print(total([1]), subtotal)",
        "shop/cart.py:1: def total(items):  [defined here]",
    ]
    assert last == "[every place of this word, whatever it means there]"
    assert (await bench.result("find_references", name="total", path="shop")).details == {"uses": 3}
    assert "in none of 3 files" in await bench.call("find_references", name="missing")
    with pytest.raises(PathOutsideError):
        await bench.call("find_references", name="total", path="../other")


async def test_language_servers_are_asked_about_the_definition_and_believed(tmp_path: Path) -> None:
    bench = ToolBench(tmp_path / "project")
    index = SmallIndex(bench.root, FILES)
    outside = tmp_path / "installed.py"
    outside.write_text("total = secret\n")
    bench.write(".env", "total=secret\n")
    cart, bill = bench.root / "shop/cart.py", bench.root / "shop/bill.py"
    bench.editor.buffers[bill] = "# not saved\n" + FILES["shop/bill.py"]
    servers = Servers((bill, 5), (cart, 1), (outside, 1), (bench.root / ".env", 1), (bill, 99), (bill, 5))
    bench.registry.add(FindReferences(Defined(index), servers))

    text = await bench.call("find_references", name="total")

    assert servers.asked == [("cart.py", 1, "total")]
    assert text.splitlines() == [
        "shop/bill.py:5: print(total([1]), subtotal)",
        "shop/cart.py:1: def total(items):",
        "[as the editor's language servers know it]",
    ]
    servers.found = ((bench.write("shop/paged.py", "# one\n\x0c\ntotal = 1\n"), 3),)
    assert (await bench.call("find_references", name="total")).splitlines()[0] == "shop/paged.py:3: total = 1"
    servers.found = ((cart, 1),)
    only = await bench.call("find_references", name="total", path="shop/cart.py")
    assert only.splitlines()[:-1] == ["shop/cart.py:1: def total(items):"]


async def test_places_that_a_rule_closes_are_not_shown(tmp_path: Path) -> None:
    policy = Policy((Rule("deny", "read", path="shop/bill.py"),), trusted=True)
    bench = ToolBench(tmp_path / "project", policy=policy)
    index = SmallIndex(bench.root, FILES)
    servers = Servers()
    bench.registry.add(FindReferences(Defined(index), servers))
    searched = await bench.call("find_references", name="total")
    servers.found = ((bench.root / "shop/bill.py", 4), (bench.root / "shop/cart.py", 1))
    known = await bench.call("find_references", name="total")
    for text in (searched, known):
        assert "shop/cart.py:1" in text
        assert "bill.py" not in text
        assert text.endswith("[1 file is left out, which the user's rules do not open to this]")
