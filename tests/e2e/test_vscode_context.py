"""What the model read, as a page beside the editor in VS Code: opened by a command, kept up to date, with links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dragoman.context.workspace.inspection import inspect_index
from tests.support.scene import FAKE_PROVIDER, FakeModelServer
from tests.support.vscode import STATUS, Workbench

pytestmark = pytest.mark.editor

READY = f'{STATUS}:has-text("fake-coder")'
COMMAND = "Dragoman: Show What the Model Read"
PAGE = '.editor-group-container:has(.tab:has-text("What the Model Read"))'
LINES = f"{PAGE} .view-lines"

PRICES = '''\
"""Prices of articles."""


class PriceList:
    """Prices by article."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    def price_of(self, article: str, amount: int = 1) -> float:
        """Return the price of so many articles."""
        return self.prices[article] * amount
'''
ORDERS = """\
from shop.prices import PriceList


class Order:
    def __init__(self, prices: PriceList) -> None:
        self.prices = prices
        self.articles: list[tuple[str, int]] = []

    def total(self) -> float:
        return sum(self.prices.price_of(article, amount) for article, amount in self.articles)
"""
CART = """\
from shop.prices import PriceList


class Cart:
    def __init__(self, prices: PriceList) -> None:
        self.prices = prices

"""
FILES = {
    "pyproject.toml": '[project]\nname = "shop"\n',
    "shop/prices.py": PRICES,
    "shop/orders.py": ORDERS,
    "shop/cart.py": CART,
    "shop/second.py": CART.replace("Cart", "Second"),
    "hidden/prices.py": PRICES.replace("PriceList", "HiddenPriceList"),
}
SHOWN_FILES = len([path for path in FILES if not path.startswith("hidden/")])
SETTINGS = {"files.exclude": {"**/hidden": True, "**/other": False}}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    """A model with one answer."""
    server = FakeModelServer({"text": "price_of(article)\n"})
    yield server
    server.close()


@pytest.fixture(scope="module")
def editor(model: FakeModelServer) -> Iterator[Workbench]:
    """One window for all tests of this file, with a model that is asked at every key."""
    config = "[completion]\ndebounce_ms = 0\nshow_threshold = 0\n\n" + FAKE_PROVIDER.format(url=model.url)
    with Workbench(files=FILES, config=config, settings=SETTINGS, name="vscode-context") as workbench:
        workbench.wait(READY)
        yield workbench


def answers(editor: Workbench) -> list[dict[str, Any]]:
    """What the server told of what the model read, oldest first."""
    asked = [
        one for one in editor.messages("workspace/executeCommand") if one["params"]["command"] == "dragoman.showContext"
    ]
    found = []
    for one in asked:
        reply = editor.reply(one)
        if "result" in reply:
            found.append(reply["result"])
    return found


def page(editor: Workbench) -> str:
    """Return what is to be seen of the page."""
    return "".join(editor.texts(LINES))


def test_the_page(editor: Workbench, model: FakeModelServer) -> None:
    """One window from beginning to end: each step stands on the one before."""
    line = tells_every_part_of_the_prompt(editor, model)
    follows_who_types_on(editor, line + 1)
    belongs_to_the_file_that_is_typed_in(editor)
    opens_places_by_links(editor)


def type_until_the_index_is_heard(editor: Workbench, model: FakeModelServer) -> int:
    """Type lines until the model read another file, and return the last one's number: no key waits for a slow index."""
    for line in range(9, 29):
        editor.type("self.prices.")
        editor.wait_for_ghost("price_of")
        if "<|file_sep|>shop/prices.py" in model.generations()[-1]["body"]["prompt"]:
            return line
        editor.press("Escape")
        editor.type("\n")
    raise AssertionError("the model never read another file")


def tells_every_part_of_the_prompt(editor: Workbench, model: FakeModelServer) -> int:
    editor.open("shop/cart.py")
    cache = editor.folder / "cache" / "index"
    editor.until(lambda: inspect_index(editor.workspace, cache).files >= SHOWN_FILES, "the index")
    editor.type("    def cheap(self, article: str) -> float:\n")
    line = type_until_the_index_is_heard(editor, model)
    editor.run_command(COMMAND)
    shown = editor.until(lambda: text if "class" in (text := page(editor)) else None, "the page")
    editor.wait(f"{LINES} .detected-link")
    editor.screenshot("page")
    assert "# What the model read" in shown
    assert "`fake-coder` (fake) read about" in shown
    assert f"for `shop/cart.py:{line}`" in shown
    assert "runs on this machine" in shown
    (known, *_) = answers(editor)
    prompt = model.generations()[-1]["body"]["prompt"]
    for part in known["parts"]:
        assert part["text"] in prompt
    assert "shop/prices.py" in {part["path"] for part in known["parts"]}
    assert "HiddenPriceList" not in json.dumps(known)
    assert not [part for part in known["parts"] if part["path"].startswith("hidden/")]
    return line


def follows_who_types_on(editor: Workbench, line: int) -> None:
    before = len(answers(editor))
    # No click: the cursor is still where it was.
    editor.type("price_of(article)\nself.prices.")
    editor.until(lambda: f"for `shop/cart.py:{line}`" in page(editor), "the newest request on the page")
    editor.screenshot("followed")
    asked = len(answers(editor)) - before
    keys = len(editor.messages("textDocument/inlineCompletion"))
    assert 1 <= asked < keys, "it is asked for now and then, not at every key"


def belongs_to_the_file_that_is_typed_in(editor: Workbench) -> None:
    editor.open("shop/second.py")
    editor.type("    def second_name(self) -> None:\nself.prices.")
    editor.until(lambda: "for `shop/second.py:9`" in page(editor), "the request of the other file on the page")
    assert any("second_name" in part["text"] for part in answers(editor)[-1]["parts"])


def opens_places_by_links(editor: Workbench) -> None:
    (label, *_) = editor.texts(f"{LINES} .detected-link >> nth=1")
    name = label.rpartition(":")[0].rpartition("/")[2]
    editor.click(f"{LINES} .detected-link >> nth=1", "Control")
    editor.wait(f'.tab.active:has-text("{name}")')
    editor.screenshot("link")


def test_the_menu_has_it_and_the_editor_s_excludes_reached_the_server(editor: Workbench) -> None:
    editor.click(STATUS)
    editor.wait('.quick-input-list .monaco-list-row:has-text("Show what the model read")')
    editor.press("Escape")
    (options,) = [one["params"]["initializationOptions"] for one in editor.messages("initialize")]
    assert "**/hidden" in options["excludes"]
    assert "**/node_modules" in options["excludes"]
    assert "**/other" not in options["excludes"]
    assert not [one for one in editor.messages("window/showMessage") if "excludes" in json.dumps(one)]
