"""The map of a repository: what is near the question first, then what the rest leans on, always the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dragoman.context.limits import MAP_FILES
from dragoman.context.retrieval.popularity import Popularity
from dragoman.context.snippets import Snippet
from tests.support.small_index import SmallIndex

FILES = {
    "shop/money.py": (
        "class Money:\n    amount: int\n\n    def rounded(self):\n        return self\n\n"
        "    def _cents(self):\n        return 0\n\n\ndef parse_money(text):\n    return Money()\n"
    ),
    "shop/cart.py": (
        "from shop.money import Money\n\n\nclass Cart:\n    def total(self) -> Money:\n        return Money().rounded()\n\n\n"
        "def _hidden():\n    pass\n"
    ),
    "shop/tax.py": "from shop.money import Money\n\n\ndef tax_of(money: Money):\n    return money.rounded()\n",
    "shop/voucher.py": "from shop.money import Money, parse_money\n\n\nclass Voucher:\n    worth: Money\n",
    "tools/lonely.py": "def nobody_needs_this():\n    pass\n\n\ndef export_voucher_list():\n    pass\n",
    "web/views.py": "from shop.cart import Cart\n\n\ndef show(request):\n    cart = Cart()\n    return cart\n",
    "README.md": "# Shop\n\nSells things.\n",
}


def drawn(index: SmallIndex, **params: Any) -> dict[str, str]:
    found = [Snippet.from_wire(one) for one in index.retriever.call("map", params)["snippets"]]
    # The most valuable is last.
    return {one.path: one.text for one in reversed(found)}


def test_what_most_files_import_leads_a_map_without_a_question(tmp_path: Path) -> None:
    found = drawn(SmallIndex(tmp_path, FILES), tokens=40)
    assert next(iter(found)) == "shop/money.py"
    assert found["shop/money.py"].startswith("class Money\n")
    assert "_cents" not in found["shop/money.py"]


def test_members_stand_below_their_class(tmp_path: Path) -> None:
    text = drawn(SmallIndex(tmp_path, FILES), tokens=2_000)["shop/money.py"]
    assert text.index("class Money") < text.index("    def rounded(self)") < text.index("def parse_money(text)")


def test_files_in_focus_are_left_out_and_what_they_import_comes_first(tmp_path: Path) -> None:
    found = drawn(SmallIndex(tmp_path, FILES), tokens=60, focus=["web/views.py"])
    assert "web/views.py" not in found
    assert next(iter(found)) == "shop/cart.py"
    assert "total" in found["shop/cart.py"]


def test_what_was_spoken_of_is_in_it_however_lonely(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    assert "tools/lonely.py" not in drawn(index, tokens=30)
    assert drawn(index, tokens=30, mentioned=["nobody_needs_this"])["tools/lonely.py"] == "def nobody_needs_this()"


def test_the_words_of_names_count_too(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    plain = drawn(index, tokens=60)
    spoken = drawn(index, tokens=60, mentioned=["ExportedVouchers", "VoucherList"])
    assert "export_voucher_list" not in "".join(plain.values())
    assert "export_voucher_list" in "".join(spoken.values())


@pytest.mark.parametrize("tokens", [0, 10, 40, 150, 1_000])
def test_it_holds_its_budget(tmp_path: Path, tokens: int) -> None:
    index = SmallIndex(tmp_path, FILES)
    found = [Snippet.from_wire(one) for one in index.retriever.call("map", {"tokens": tokens})["snippets"]]
    assert sum(one.tokens for one in found) <= tokens
    assert bool(found) == (tokens > 15)


def test_it_is_the_same_each_time_and_in_each_index(tmp_path: Path) -> None:
    params = {"tokens": 100, "focus": ["shop/cart.py"], "mentioned": ["voucher", "money", "show"]}
    one = SmallIndex(tmp_path / "one", FILES)
    other = SmallIndex(tmp_path / "other", dict(reversed(FILES.items())))
    first = one.retriever.call("map", params)
    assert first == one.retriever.call("map", params)
    assert first == other.retriever.call("map", params)


def test_it_follows_the_index(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, FILES)
    assert "brand_new_thing" not in str(drawn(index, tokens=500, mentioned=["brand_new_thing"]))
    index.write({"shop/new.py": "def brand_new_thing():\n    pass\n"})
    assert "brand_new_thing" in drawn(index, tokens=500, mentioned=["brand_new_thing"])["shop/new.py"]


def test_files_that_are_not_there_and_an_empty_index_are_no_failure(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {})
    assert drawn(index, tokens=100, focus=["gone.py"], mentioned=["nothing", ""]) == {}


def test_a_repository_without_imports_has_a_map_too(tmp_path: Path) -> None:
    assert drawn(SmallIndex(tmp_path, {"run.py": "def run():\n    pass\n"}), tokens=100) == {"run.py": "def run()"}


def test_a_name_of_many_files_leads_to_none_of_them(tmp_path: Path) -> None:
    index = SmallIndex(tmp_path, {f"p{number}/config.py": "import config\nx = 1\n" for number in range(40)})
    popularity = Popularity(index.retriever.files)
    popularity.count()
    assert popularity.of_name("config") == 40
    assert popularity.most(10) == []


def test_what_is_weighed_is_bounded(tmp_path: Path) -> None:
    files = {f"p/m{number}.py": f"def function_{number}():\n    pass\n" for number in range(3 * MAP_FILES)}
    files["p/use.py"] = "".join(f"from p.m{number} import function_{number}\n" for number in range(3 * MAP_FILES))
    index = SmallIndex(tmp_path, files)
    assert len(drawn(index, tokens=100_000, focus=["p/use.py"])) == MAP_FILES
