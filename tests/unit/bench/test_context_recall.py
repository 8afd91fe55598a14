"""The parts of the context measurements, on a package small enough to know the answers by heart."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from dragoman.models import tokenizers
from tests.bench import completion_quality, context_recall
from tests.bench.completion_quality import Told, in_turns
from tests.bench.context_definitions import Modules, Taken, imports_of, read
from tests.bench.context_jedi import resolve
from tests.bench.context_numbers import Bootstrap, mean
from tests.bench.context_oracles import ORACLES, Need, Oracles
from tests.bench.context_packages import DEVELOPMENT, HELD_OUT_NEW, HELD_OUT_OLD, Package, packages_in
from tests.bench.context_recall import METHODS, Answer, cut, found, gather
from tests.bench.context_samples import Sample, copies, draw
from tests.bench.context_workspace import Piece, Question, Workspace

CART = '''
class Basket:
    colour_of_handle = "red"

    def count_everything(self):
        return 0


class Cart(Basket):
    """A cart."""

    def __init__(self, owner_of_cart):
        self.total_in_cents = 0

    def add_article(self, label, amount_in_cents):
        self.total_in_cents += amount_in_cents
'''
TAX = """
def tax_for(cart, percentage_points=19):
    return percentage_points


def unrelated_helper(argument_of_helper):
    return argument_of_helper
"""
ORDER = """
from .api import Cart
from shop.tax import tax_for


def place(basket: Cart, numbers):
    for number in numbers:
        basket.add_article("tea", amount_in_cents=number)
    words = [str(number) for number in numbers]
    return tax_for(basket, percentage_points=7) + unknown_to_all(words)


def show(basket: Cart, words):
    text = ", ".join(word.strip() for word in words)
    print("basket:", basket.colour_of_handle, basket.count_everything())
    return text.title() + " and nothing else at all"
"""
HELPED = """
def work(given):
    value = unrelated_helper(given) + 1
    return value
"""
FILES = {
    "shop/__init__.py": "",
    "shop/api.py": "from shop.cart import Cart\n",
    "shop/cart.py": CART,
    "shop/tax.py": TAX,
    "shop/order.py": ORDER,
    "shop/helped.py": HELPED,
}
ADD = 'basket.add_article("tea", amount_in_cents=number)'
SHOWN = 'print("basket:", basket.colour_of_handle, basket.count_everything())'
HELPED_LINE = "value = unrelated_helper(given) + 1"


def written(folder: Path, files: dict[str, str] = FILES, name: str = "shop-1.0") -> Package:
    for path, text in files.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_text(text)
    return next(one for one in packages_in(folder) if one.root.name == name)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return written(tmp_path / "packages")


def sample_of(package: Package, hidden: str) -> Sample:
    return next(sample for sample in draw(package) if sample.hidden == hidden)


def test_lines_are_drawn_by_the_rules_and_the_same_each_time(package: Package) -> None:
    samples = draw(package)
    # Not the line of `words`, which needs nothing; not that of `tax_for`, whose one new name is only a parameter elsewhere.
    assert {sample.hidden for sample in samples} == {ADD, SHOWN, HELPED_LINE}
    assert draw(package) == samples
    assert len(draw(package, 2)) == 2
    assert set(draw(package, 2)) <= set(samples)
    for sample in samples:
        lines = package.files[sample.path].split("\n")
        assert lines[sample.line].strip() == sample.hidden
        assert sample.prefix + sample.hidden + sample.suffix == package.files[sample.path]
        assert sample.hidden not in sample.masked
        for name in sample.names:
            assert lines[sample.line][name.column :].startswith(name.text)
            assert name.text not in sample.masked


@pytest.mark.parametrize(
    "line",
    [
        "import unrelated_helper as something_long",
        "def unrelated_helper(given, of_many, arguments): ...",
        '"""A text with unrelated_helper in it, quite long."""',
        "# unrelated_helper in a comment of some length",
        'value = """',
        "x = unrelated_helper(1)",
        f"value = unrelated_helper({', '.join(['given'] * 30)})",
    ],
)
def test_what_is_no_code_or_too_short_or_too_long_is_not_drawn(tmp_path: Path, line: str) -> None:
    text = f"def work(given):\n    {line}\n"
    if line.endswith('= """'):
        text = f'def work(given):\n    {line}\nunrelated_helper(given, given, given)\n"""\n'
    changed = written(tmp_path, FILES | {"shop/helped.py": text})
    assert "shop/helped.py" not in {sample.path for sample in draw(changed)}


def test_a_line_that_stands_in_another_file_is_not_drawn(tmp_path: Path) -> None:
    other = "def elsewhere(given):\n    value = unrelated_helper(given) + 1\n    return [value, 2, 3, 4]\n"
    changed = written(tmp_path, FILES | {"shop/elsewhere.py": other})
    assert HELPED_LINE not in {sample.hidden for sample in draw(changed)}


def test_near_copies_are_found_and_are_no_other_file(tmp_path: Path) -> None:
    many = "".join(f"VALUE_{number} = {number}\n" for number in range(40))
    files = {
        "shop/helped.py": HELPED + many,
        "shop/copied.py": HELPED + many + "LAST = 1\n",
        "shop/half.py": HELPED + many[: len(many) // 2],
    }
    twins = copies(FILES | files)
    assert twins["shop/helped.py"] == {"shop/copied.py"}
    assert twins["shop/copied.py"] == {"shop/helped.py"}
    assert not twins["shop/half.py"]
    # Its line stands in the copy too, which does not count; and a name that only a copy defines is defined nowhere else.
    changed = written(tmp_path, FILES | files | {"shop/half.py": ""})
    assert [(one.path, one.copies) for one in draw(changed) if one.hidden == HELPED_LINE] == [
        ("shop/copied.py", {"shop/helped.py"}),
        ("shop/helped.py", {"shop/copied.py"}),
    ]
    only = "def known_to_copies(given):\n    return given\n"
    no_other = {path: text for path, text in FILES.items() if path != "shop/tax.py"}
    changed = written(tmp_path, no_other | {path: text + only for path, text in files.items()}, "other")
    assert HELPED_LINE not in {sample.hidden for sample in draw(changed)}


def test_the_oracles_answer_what_is_true(package: Package, tmp_path: Path) -> None:
    samples = draw(package)
    resolved = resolve([(package, samples)], tmp_path / "memory.jsonl")
    oracles = Oracles(package)
    needs = {sample.hidden: oracles.need(sample, resolved[sample.name]).names for sample in samples}
    # A parameter is offered by what is imported, through the re-export; it is defined nowhere as a function or attribute.
    assert needs[ADD] == {
        "imported": {"add_article", "amount_in_cents"},
        "defined": {"add_article"},
        "resolved": {"add_article", "amount_in_cents"},
    }
    # Bases belong to it.
    both = {"colour_of_handle", "count_everything"}
    assert needs[SHOWN] == {"imported": both, "defined": both, "resolved": both}
    # Nothing imports it, so neither the file nor jedi knows it.
    assert needs[HELPED_LINE] == {"imported": set(), "defined": {"unrelated_helper"}, "resolved": set()}
    # A second time nothing is asked.
    before = (tmp_path / "memory.jsonl").read_text()
    assert resolve([(package, samples)], tmp_path / "memory.jsonl") == resolved
    assert (tmp_path / "memory.jsonl").read_text() == before


def test_imports_are_understood_in_a_text_with_a_hole() -> None:
    text = "from .cart import (\n    Cart,\n    Basket as B,\n)\nimport shop.tax\nif (\n"
    assert imports_of(text) == [
        Taken("cart", 1, "Cart", "Cart"),
        Taken("cart", 1, "Basket", "B"),
        Taken("shop.tax", 0, "", "shop"),
    ]
    assert read(text).imports == ()


def test_modules_are_named_from_the_folder_or_from_what_holds_it() -> None:
    below = Modules(["shop/cart.py", "shop/inner/__init__.py"])
    assert below.module("shop/inner/__init__.py", Taken("cart", 2, "Cart", "Cart")) == "shop/cart.py"
    assert below.module("shop/cart.py", Taken("inner", 1, "x", "x")) == "shop/inner/__init__.py"
    assert Modules(["__init__.py", "cart.py"], "shop").module("cart.py", Taken("shop.cart", 0, "x", "x")) == "cart.py"
    assert Modules(["src/shop/cart.py"]).module("x.py", Taken("shop.cart", 0, "x", "x")) == "src/shop/cart.py"
    assert below.module("shop/cart.py", Taken("os.path", 0, "join", "join")) is None


def test_packages_are_sub_folders_with_several_modules(tmp_path: Path) -> None:
    written(tmp_path)
    for path in ("shop-1.0/shop-1.0.dist-info/a.py", "shop-1.0/.hidden/b.py", "single/one.py", ".jedi/c.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n")
    (tmp_path / "shop-1.0" / "bytes.py").write_bytes(b"\xff\xfe\xfa")
    (found_one,) = packages_in(tmp_path)
    assert set(found_one.files) == set(FILES)


def test_the_sets_are_pinned_and_apart() -> None:
    every = [*DEVELOPMENT, *HELD_OUT_OLD, *HELD_OUT_NEW]
    assert len(set(every)) == 32
    assert all(one.count("==") == 1 for one in every)


class Spy:
    """A method that looks at everything it could learn the hidden line from."""

    name = "spy"
    ranks_alike = False
    secrets: dict[str, str]

    def open(self, root: Path, texts: dict[str, str], changing: frozenset[str]) -> None:
        self.root = root
        self.changed: set[str] = set()

    def change(self, paths: list[str]) -> None:
        self.changed.update(paths)

    def gather(self, question: Question, budget: int) -> list[Piece]:
        on_disk = {
            path.relative_to(self.root).as_posix(): path.read_text()
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }
        assert on_disk == question.texts
        assert question.texts[question.path] == question.prefix + question.suffix
        secret = self.secrets[question.path + str(len(question.prefix))]
        assert all(secret not in text for text in on_disk.values())
        assert question.path in self.changed
        return [Piece("all", "word " * 10 * budget)]

    def size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


def needs_in(package: Package) -> list[Need]:
    oracles = Oracles(package)
    return [oracles.need(sample, frozenset({"add_article"})) for sample in draw(package)]


def test_the_hidden_line_and_copies_are_in_nobodys_reach(tmp_path: Path) -> None:
    many = "".join(f"VALUE_{number} = {number}\n" for number in range(40))
    files = FILES | {"shop/helped.py": HELPED + many, "shop/copied.py": HELPED + many + "LAST = 1\n"}
    package = written(tmp_path, files)
    needs = needs_in(package)
    assert any(need.sample.copies for need in needs)
    spy = Spy()
    spy.secrets = {need.sample.path + str(len(need.sample.prefix)): need.sample.hidden for need in needs}
    answers = [one for one in gather(package, needs, [spy], (16, 64)) if isinstance(one, Answer)]
    assert [one.budget for one in answers] == [64, 16] * len(needs)
    assert all(one.tokens == one.budget for one in answers)
    assert spy.closed
    # The package itself is as it was.
    assert packages_in(tmp_path)[0].files == files


def test_a_workspace_takes_back_what_it_changed(package: Package, tmp_path: Path) -> None:
    workspace = Workspace(package, tmp_path / "copy")
    first, second = sample_of(package, ADD), sample_of(package, HELPED_LINE)
    _, changed = workspace.show(first)
    assert changed == ["shop/order.py"]
    question, changed = workspace.show(second)
    assert changed == ["shop/helped.py", "shop/order.py"]
    assert question.texts["shop/order.py"] == ORDER
    assert (workspace.root / "shop/order.py").read_text() == ORDER


def test_contexts_are_cut_at_the_exact_budget() -> None:
    pieces = [
        Piece("a", "def one(first, second): ...\n" * 5),
        Piece("b", ""),
        Piece("c", "class Two:\n    pass\n" * 900),
    ]
    for budget in (7, 100, 1000):
        kept, tokens = cut(pieces, budget)
        text = "".join(f"{piece.text}\n" for piece in kept)
        assert tokens == budget
        assert abs(tokenizers.count(text) - budget) <= 2
        assert "".join(piece.text for piece in pieces).startswith(kept[0].text)
    kept, tokens = cut(pieces[:2], 1000)
    assert kept == pieces[:1]
    assert tokens == tokenizers.count(pieces[0].text + "\n")


def test_a_name_is_found_as_a_whole_word_only() -> None:
    names = frozenset({"add_article", "amount"})
    share, useful = found(names, "add_article_now(amount)\nother line")
    assert share == 0.5
    assert useful == pytest.approx(23 / 34)
    assert found(names, "") == (0.0, 0.0)
    assert found(names, "amount\nadd_article") == (1.0, pytest.approx(17 / 18))


def answers_of(package: Package, method: str, budget: int = 200) -> dict[str, str]:
    gathered = gather(package, needs_in(package), [METHODS[method]()], (budget,))
    return {one.need.sample.hidden: one.text for one in gathered if isinstance(one, Answer)}


def test_skeletons_show_what_is_imported(package: Package) -> None:
    texts = answers_of(package, "skeletons")
    assert "class Cart(Basket):\n    def __init__(self, owner_of_cart): ..." in texts[ADD]
    assert "def tax_for(cart, percentage_points=19): ..." in texts[ADD]
    # What was used last before the cursor comes first.
    assert texts[SHOWN].index("tax_for") > texts[SHOWN].index("class Cart")
    assert texts[HELPED_LINE] == ""


@pytest.mark.parametrize("method", ["bm25", "jaccard"])
def test_windows_are_of_other_files_and_ranked_by_common_names(tmp_path: Path, method: str) -> None:
    alike = "def similar(basket, numbers):\n    for number in numbers:\n        basket.remove_article(number)\n"
    package = written(tmp_path, FILES | {"shop/alike.py": alike})
    texts = answers_of(package, method)
    assert texts[ADD].index("remove_article") < texts[ADD].index("percentage_points")
    assert "def place(" not in texts[ADD]


def test_heads_and_the_ring_show_files_and_nothing_shows_nothing(package: Package) -> None:
    assert set(answers_of(package, "nothing").values()) == {""}
    assert answers_of(package, "heads")[ADD].startswith("from shop.cart import Cart")
    ring = answers_of(package, "ring buffer", 2000)
    assert "class Cart(Basket)" in ring[ADD]
    assert "def place(" not in ring[ADD]


def test_ours_brings_what_is_needed_and_never_saw_the_line(package: Package) -> None:
    texts = answers_of(package, "dragoman", 512)
    assert "add_article" in texts[ADD]
    assert all(hidden not in text for hidden, text in texts.items())


def test_an_interval_holds_the_mean_and_grows_with_the_packages_differences() -> None:
    choose = random.Random(3)
    alike = [(f"p{index % 10}", float(choose.random() < 0.5)) for index in range(500)]
    apart = [(f"p{index % 10}", float(index % 10 < 5)) for index in range(500)]
    for values in (alike, apart):
        low, high = Bootstrap([package for package, _ in values], 500).interval(values)
        assert low < mean(values) < high
    narrow = Bootstrap([package for package, _ in alike], 500).interval(alike)
    wide = Bootstrap([package for package, _ in apart], 500).interval(apart)
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])
    # A difference that is always the same is no chance.
    assert Bootstrap(["a", "b"], 100).interval([("a", 0.1), ("b", 0.1)]) == (0.1, 0.1)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(context_recall, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_the_measurement_runs_on_any_folder_of_packages(
    package: Package, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [name for name in METHODS if name != "aider"]
    arguments = ["--packages", str(package.root.parent), "--json", "--out", str(kept), "--methods", ",".join(wanted)]
    assert context_recall.main([*arguments, "--quick", "--per-package", "25"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    assert {row["oracle"] for row in rows} == set(ORACLES)
    assert {row["method"] for row in rows} == set(wanted)
    assert {row["budget"] for row in rows} == {256, 512, 1024, 2048}
    assert all(0 <= row["recall_low"] <= row["recall"] <= row["recall_high"] <= 1 for row in rows)
    assert all(row["recall"] == 0 for row in rows if row["method"] == "nothing")
    assert all("ahead" in row for row in rows if row["method"] == "dragoman")
    assert all(show(row) for row in rows for show in context_recall.TABLE.columns.values())
    with pytest.raises(SystemExit, match="no method 'bogus'"):
        context_recall.main([*arguments[:-1], "bogus"])


def told(package: str, method: str, said: str, hidden: str = "value = one + two") -> Told:
    sample = Sample(package, "a.py", 1, hidden, "one = two = 1\n", "\n", (), frozenset())
    return Told(sample, method, said, 100)


def test_what_the_model_said_is_scored_line_by_line() -> None:
    assert told("a", "bm25", "value = one + two").scores == {"exact": 1, "similarity": 1, "names": 1, "parsing": 1}
    wrong = told("a", "bm25", "value = one + (").scores
    assert wrong["exact"] == wrong["parsing"] == 0
    assert wrong["names"] == pytest.approx(0.8)
    assert told("a", "bm25", "").scores["names"] == 0
    new = HELD_OUT_NEW[0].split("==", maxsplit=1)[0]
    right = "value = one + two"
    both = [
        told(name, method, right if method == "dragoman" else "x")
        for name in ("a", new)
        for method in ("bm25", "dragoman")
    ]
    rows = completion_quality.rows_of(both, 50)
    assert [(row["part"], row["method"], row["exact"], row.get("ahead")) for row in rows[:2]] == [
        ("all", "bm25", 0.0, 1.0),
        ("all", "dragoman", 1.0, None),
    ]
    assert {row["part"] for row in rows} == {"all", "new", "old"}
    assert all(show(row) for row in rows for show in completion_quality.TABLE.columns.values())


def test_samples_come_in_turns_of_the_packages(tmp_path: Path) -> None:
    one, other = written(tmp_path, name="one"), written(tmp_path, name="other")
    order = in_turns({package.name: needs_in(package) for package in (one, other)})
    assert len(order) == 6
    assert all(
        {first.package, second.package} == {"one", "other"}
        for first, second in zip(order[::2], order[1::2], strict=True)
    )


def test_the_service_of_aider_needs_nothing_of_ours() -> None:
    from tests.bench.context_aider import SERVICE

    text = SERVICE.read_text()
    assert "dragoman" not in text
    assert "from tests" not in text
    assert compile(text, str(SERVICE), "exec")
