"""Imports lead to their files and names to their definitions, language by language."""

from __future__ import annotations

import pytest

from tests.support.small_index import SmallIndex

PYTHON = {
    "shop/__init__.py": "from .cart import Cart\nfrom .tax import *\n",
    "shop/cart.py": "from typing import Self\n\nfrom shop.base import Holder\n\n\nclass Cart(Holder):\n"
    "    def add_article(self, article: str) -> Self: ...\n",
    "shop/base.py": "class Holder:\n    owner: str = ''\n\n    def empty_out(self) -> None: ...\n",
    "shop/tax.py": "def surcharge_for(country: str) -> float: ...\n",
    "shop/web/__init__.py": "",
    "shop/web/pages.py": "def render_front_page() -> str: ...\n",
    "src/tools/knife.py": "def sharpen_blade(angle: int) -> None: ...\n",
}


@pytest.mark.parametrize(
    ("line", "path", "wanted"),
    [
        ("from shop.cart import Cart", "app.py", "def add_article(self, article: str) -> Self"),
        ("from shop import Cart", "app.py", "def add_article(self, article: str) -> Self"),
        ("from shop import Cart", "app.py", "def empty_out(self) -> None"),
        ("from . import Cart", "shop/app.py", "def add_article(self, article: str) -> Self"),
        ("from .cart import Cart as Basket", "shop/app.py", "def add_article(self, article: str) -> Self"),
        ("from ..tax import surcharge_for", "shop/web/app.py", "def surcharge_for(country: str) -> float"),
        ("import shop.web.pages", "app.py", "def render_front_page() -> str"),
        ("import shop.web.pages as pages", "app.py", "def render_front_page() -> str"),
        ("from shop.web import pages", "app.py", "def render_front_page() -> str"),
        ("from shop.tax import *", "app.py", "def surcharge_for(country: str) -> float"),
        ("from tools.knife import sharpen_blade", "app.py", "def sharpen_blade(angle: int) -> None"),
    ],
)
def test_python(tmp_path, line, path, wanted) -> None:
    index = SmallIndex(tmp_path, {**PYTHON, path: f"{line}\n"})

    assert wanted in index.text(path, f"{line}\n|", "imports")


def test_the_workspace_may_be_the_package_itself(tmp_path) -> None:
    root = tmp_path / "shop"
    root.mkdir()
    files = {path.removeprefix("shop/"): text for path, text in PYTHON.items() if path.startswith("shop/")}
    index = SmallIndex(root, {**files, "app.py": "from shop.cart import Cart\n"})

    assert "def add_article(self, article: str) -> Self" in index.text(
        "app.py", "from shop.cart import Cart\n|", "imports"
    )


@pytest.mark.parametrize(
    ("files", "path", "text", "wanted"),
    [
        (
            {"src/util/money.ts": "export function formatMoney(cents: number): string { return ''; }\n"},
            "src/app.ts",
            "import { formatMoney } from './util/money';\n|",
            "formatMoney(cents: number): string",
        ),
        (
            {"src/money.ts": "export function formatMoney(cents: number): string { return ''; }\n"},
            "src/web/app.ts",
            "import { formatMoney } from '../money.js';\n|",
            "formatMoney(cents: number): string",
        ),
        (
            {"src/money/index.js": "export function formatMoney(cents) { return ''; }\n"},
            "src/app.js",
            "import { formatMoney } from './money';\n|",
            "formatMoney(cents)",
        ),
        (
            {"store/shelf.go": "package store\n\nfunc LendVolume(reader string) bool { return true }\n"},
            "main.go",
            'package main\n\nimport "example.com/library/store"\n\nfunc main() {\n\t|\n}\n',
            "func LendVolume(reader string) bool",
        ),
        (
            {
                "src/shelf.rs": "pub struct Shelf { pub owner: String }\n\npub fn lend_volume(reader: &str) -> bool { true }\n"
            },
            "src/main.rs",
            "use crate::shelf::lend_volume;\n\nfn main() {\n    |\n}\n",
            "fn lend_volume(reader: &str) -> bool",
        ),
        (
            {
                "org/library/Shelf.java": "package org.library;\n\npublic class Shelf {\n"
                "  public boolean lendVolume(String reader) { return true; }\n}\n"
            },
            "org/app/Main.java",
            "package org.app;\n\nimport org.library.Shelf;\n\nclass Main {\n  void run(Shelf shelf) {\n    |\n  }\n}\n",
            "boolean lendVolume(String reader)",
        ),
        (
            {"include/shelf.h": "int lend_volume(const char *reader);\n"},
            "main.c",
            '#include "shelf.h"\n\nint main(void) {\n  |\n}\n',
            "int lend_volume(const char *reader)",
        ),
    ],
    ids=["typescript", "typescript-js", "javascript-index", "go", "rust", "java", "c"],
)
def test_other_languages(tmp_path, files, path, text, wanted) -> None:
    index = SmallIndex(tmp_path, {**files, path: text.replace("|", "")})

    assert wanted in index.text(path, text, "imports")


def test_files_that_import_each_other_end(tmp_path) -> None:
    files = {
        "one.py": "from two import thing\n",
        "two.py": "from three import thing\n",
        "three.py": "from one import thing\n",
    }
    index = SmallIndex(tmp_path, files)

    assert index.text("one.py", "from two import thing\n|", "imports") == ""


def test_bases_that_inherit_from_each_other_end(tmp_path) -> None:
    files = {
        "one.py": "from two import Second\n\n\nclass First(Second):\n    def in_first_only(self): ...\n",
        "two.py": "from one import First\n\n\nclass Second(First):\n    def in_second_only(self): ...\n",
        "app.py": "from one import First\n",
    }
    index = SmallIndex(tmp_path, files)

    text = index.text("app.py", "from one import First\n|", "imports")

    assert "in_first_only" in text
    assert "in_second_only" in text


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("def serve(cart: Cart):\n    cart.|", "add_article"),
        ("def serve(carts: list[Cart]):\n    carts.|", "add_article"),
        ("def serve():\n    cart = Cart()\n    cart.|", "add_article"),
        (
            "class Desk:\n    def __init__(self):\n        self.cart = Cart()\n\n    def serve(self):\n        self.cart.|",
            "add_article",
        ),
        ("class Big(Cart):\n    def serve(self):\n        self.|", "add_article"),
        ("def serve():\n    with Cart() as cart:\n        cart.|", "add_article"),
    ],
)
def test_the_receivers_type_brings_its_members(tmp_path, body, wanted) -> None:
    text = f"from shop.cart import Cart\n\n\n{body}"
    index = SmallIndex(tmp_path, {**PYTHON, "app.py": text.replace("|", "pass")})

    assert wanted in index.text("app.py", text, "symbols")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("from shop.tax import surcharge_for\n\ntotal = surcharge_for(|", "def surcharge_for(country: str) -> float"),
        ("from shop.tax import surcharge_for\n\ntotal = surcharge_for(pick(1), |", "def surcharge_for(country: str)"),
        ("from shop.cart import Cart\n\ncart = Cart()\ncart.add_article(|", "def add_article(self, article: str)"),
        ("import shop.tax as tax\n\ntax.surcharge_for(|", "def surcharge_for(country: str)"),
    ],
)
def test_the_head_of_what_is_called_is_there_whatever_else_is(tmp_path, body, wanted) -> None:
    noise = {f"shop/noise{n}.py": "def surcharge_for_pick_total_cart(n): ...\n" * 20 for n in range(20)}
    index = SmallIndex(tmp_path, {**PYTHON, **noise, "app.py": body.replace("|", ")")})

    assert wanted in "\n".join(one.text for one in index.gather("app.py", body, budget=60))


def test_a_head_that_the_model_sees_anyway_is_not_shown(tmp_path) -> None:
    text = "def surcharge_here(country): ...\n\n\ntotal = surcharge_here(|"
    index = SmallIndex(tmp_path, {"app.py": text.replace("|", ")")})

    assert index.gather("app.py", text) == []
