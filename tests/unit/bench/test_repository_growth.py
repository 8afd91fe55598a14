"""The measurement of growth: its workspaces, its cursors, its arithmetic, and a run over sixty files."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest

from dragoman.context.snippets import Snippet
from tests.bench import repository_growth
from tests.bench.growth_places import calling, defines, draw_places, draw_uses
from tests.bench.growth_workspace import Tree, defined_names, lay_out, rename, trees_in
from tests.bench.report import Row
from tests.bench.repository_growth import OURS, QUICK_FILES, slope, with_slopes
from tests.support.index import write

CART = '''"""What is bought."""

import json


class ShoppingCart:
    limit = 5

    def add_article(self, label):
        json.dumps(label)
        return self.limit
'''
DESK = """from shop.cart import ShoppingCart


def serve_customer(name):
    basket = ShoppingCart()
    basket.add_article(name)
    return basket
"""
PACKAGE = {"shop/__init__.py": "", "shop/cart.py": CART, "shop/desk.py": DESK, "single.py": "first_value = 1\n"}


@pytest.fixture(name="trees")
def trees_fixture(tmp_path: Path) -> list[Tree]:
    source = tmp_path / "packages"
    write(source, PACKAGE)
    write(source / "wheel", {"inner/core.py": "def work(): ...\n", "inner-1.0.dist-info/METADATA": ""})
    write(source, {"shop/__pycache__/cart.py": "", "other-1.0.dist-info/x.py": "", "shop/.venv/bin.py": ""})
    return trees_in([source])


def test_packages_modules_and_unpacked_wheels_are_found(trees: list[Tree]) -> None:
    found = {tree.name: tree.files for tree in trees}

    assert found == {
        "inner": ("inner/core.py",),
        "shop": ("shop/__init__.py", "shop/cart.py", "shop/desk.py"),
        "single": ("single.py",),
    }


def test_real_files_come_first_and_copies_have_other_names(tmp_path: Path, trees: list[Tree]) -> None:
    layout = lay_out(trees, tmp_path / "workspace", 10)

    assert (len(layout.paths), layout.copies) == (10, 5)
    assert sorted(layout.paths) == sorted(
        path.relative_to(layout.root).as_posix() for path in layout.root.rglob("*.py")
    )
    assert (layout.root / "shop/cart.py").read_text(encoding="utf-8") == CART
    copy = (layout.root / "shop_1/cart.py").read_text(encoding="utf-8")
    assert "class ShoppingCart_1:" in copy
    assert "json.dumps(label)" in copy
    desk = (layout.root / "shop_1/desk.py").read_text(encoding="utf-8")
    assert desk.startswith("from shop_1.cart import ShoppingCart_1\n")
    assert "basket.add_article_1(name)" in desk
    assert layout.size == sum(path.stat().st_size for path in layout.root.rglob("*.py"))


def test_a_smaller_workspace_is_part_of_a_larger_one(tmp_path: Path, trees: list[Tree]) -> None:
    small, large = (set(lay_out(trees, tmp_path / str(count), count).paths) for count in (4, 8))

    assert small < large


def test_a_workspace_needs_something_to_be_made_of(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no Python package"):
        lay_out([], tmp_path / "workspace", 1)


def test_names_of_python_and_of_modules_stay() -> None:
    names = defined_names(
        {"p/cart.py": "def cart(): ...\ndef print(): ...\ndef __len__(self): ...\nclass Till: ...\nx = 1\n"}
    )

    assert names == {"Till"}
    assert rename("Till(Tills, till)", {"Till": "Till_1"}) == "Till_1(Tills, till)"


def test_a_use_is_at_a_line_whose_name_comes_from_another_file(tmp_path: Path, trees: list[Tree]) -> None:
    layout = lay_out(trees, tmp_path / "workspace", 5)

    (use,) = draw_uses(layout, 10)

    assert (use.name, use.home, use.place.path) == ("ShoppingCart", "shop/cart.py", "shop/desk.py")
    assert use.place.before.endswith("def serve_customer(name):\n    ")
    assert use.place.after == "\n    basket.add_article(name)\n    return basket\n"
    assert "ShoppingCart()" not in use.place.before + use.place.after
    assert calling(use, "added").before == "from shop.cart import added\n\n\ndef work(value):\n    return added("


def test_places_are_in_different_files_with_the_next_line_after(tmp_path: Path, trees: list[Tree]) -> None:
    layout = lay_out(trees, tmp_path / "workspace", 10)

    places = draw_places(layout, 3)

    assert len({first.path for _, first, _ in places}) == len(places) == 3
    for opened, first, second in places:
        assert opened.path == first.path == second.path
        assert opened.before == ""
        assert second.before.startswith(first.before)
        assert second.before.count("\n") > first.before.count("\n")


def test_a_head_is_found_as_a_whole_word() -> None:
    snippets = [Snippet("imports", "a.py", "class Carts(Base)\ndef add(one)", 5, 1.0)]

    assert defines(snippets, "Cart", "add")
    assert not defines(snippets, "Cart", "Base")


def test_slopes_are_exponents() -> None:
    assert slope([1_000, 10_000, 100_000], [2.0, 20.0, 200.0]) == 1.0
    assert slope([1_000, 10_000], [5.0, 5.0]) == 0.0
    assert slope([1_000], [5.0]) is None


def test_the_largest_row_has_the_slope_and_the_memory_that_grew() -> None:
    numbers = {1_000: (10.0, 20.0, 30.0), 100_000: (10.0, 200.0, 128.0)}
    rows: list[Row] = [
        {"subject": OURS, "files": files, "query_p50": p50, "query_p95": p95, "steady_mib": memory}
        for files, (p50, p95, memory) in numbers.items()
    ]
    rows.append({"subject": "other", "files": 1_000, "query_p50": 1.0, "query_p95": 1.0})

    first, last, other = with_slopes(rows)

    assert (last["slope_p50"], last["slope_p95"]) == (0.0, 0.5)
    assert last["grown_kib_per_file"] == round(98 * 1024 / 99_000, 3)
    assert "slope_p50" not in first | other


def test_it_measures_the_real_index_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packages = sysconfig.get_path("purelib")
    arguments = ["--quick", "--out", str(tmp_path), "--packages", packages]

    assert repository_growth.main(arguments) == 0

    rows = [
        json.loads(line) for line in (tmp_path / "repository_growth.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert all(show(row) for row in rows for show in repository_growth.TABLE.columns.values())
    ours = rows[0]
    assert (ours["subject"], ours["files"], ours["copies"]) == (OURS, QUICK_FILES, 0.0)
    assert 0 < ours["indexed"] <= QUICK_FILES
    assert 0 < ours["uses_answered"] <= ours["uses"]
    assert (ours["query_samples"], ours["warm_samples"], ours["fresh_samples"]) == (10, 10, 4)
    assert min(ours[key] for key in ("useful_p50", "fresh_p50", "rescan_seconds", "disk_mib", "steady_mib")) > 0
    kept = tmp_path / "growth" / f"{QUICK_FILES}.json"
    kept.write_text(kept.read_text(encoding="utf-8").replace(OURS, "kept"), encoding="utf-8")
    capsys.readouterr()

    assert repository_growth.main([*arguments, "--resume"]) == 0

    assert "kept" in capsys.readouterr().out
