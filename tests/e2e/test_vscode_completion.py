"""Ghost text in VS Code, key by key: what is on screen in each frame, and how often the model was asked for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.scene import FAKE_PROVIDER, FakeModelServer
from tests.support.vscode import STATUS, SUGGEST_ROWS, Workbench

pytestmark = pytest.mark.editor

READY = f'{STATUS}:has-text("fake-coder")'
TRIGGER = "Trigger Inline Suggestion"

TOTAL = """\
result = 0
        for name in names:
            if name in self.prices:
                result += self.prices[name]
        return result"""
SHOP = """\
class Shop:
    def __init__(self, prices):
        self.prices = prices

    def total(self, names):{}

    def cheapest(self):
        return min(self.prices, key=self.prices.get)
"""
START = "import math\n\n\n"
GO = "package main\n\nfunc area(width, height int) int { return width * height }\n\nfunc main() {\n\t\n}\n"

FILES = {
    **{f"{name}.py": START for name in ("through", "words", "back", "widget", "ahead", "silent")},
    **{f"{name}.py": SHOP.format("") for name in ("streak", "block")},
    "pairs.go": GO,
}
SETTINGS = {"editor.autoClosingBrackets": "languageDefined", "editor.autoClosingQuotes": "languageDefined"}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    """A model that each test tells what to say."""
    server = FakeModelServer({})
    yield server
    server.close()


@pytest.fixture(scope="module")
def editor(model: FakeModelServer) -> Iterator[Workbench]:
    """One window for all tests of this file; each has a file of its own in it."""
    config = FAKE_PROVIDER.format(url=model.url)
    with Workbench(files=FILES, config=config, settings=SETTINGS, name="vscode-completion") as workbench:
        workbench.wait(READY)
        yield workbench


def say(model: FakeModelServer, *rules: tuple[str, str], delay: float = 0.0) -> None:
    """Have the model answer by what it finds in the text before the cursor; it has nothing to say elsewhere."""
    rest: dict[str, object] = {"oracle": None, "text": "", "logprobs": None}
    model.configure(rules=[list(rule) for rule in rules], token_delay=delay, **rest)


def configure(editor: Workbench, model: FakeModelServer, lines: str) -> None:
    """Change the user's settings file and wait until the server follows it."""
    before = len(editor.messages("dragoman/status"))
    text = f"[completion]\n{lines}\n\n{FAKE_PROVIDER.format(url=model.url)}"
    (editor.folder / "config" / "config.toml").write_text(text, encoding="utf-8")

    def follows() -> bool:
        states = [one["params"]["state"] for one in editor.messages("dragoman/status")[before:]]
        return "loading" in states and states[-1] == "ready"

    editor.until(follows, "the changed settings")


def settle(editor: Workbench, model: FakeModelServer) -> int:
    """Wait until every question is answered and no model streams; return how often one was asked."""
    asked = editor.messages("textDocument/inlineCompletion")
    if asked:
        editor.reply(asked[-1])
    editor.until(lambda: model.in_flight() == 0, "the end of the generation")
    return len(model.generations())


def test_no_frame_is_without_its_ghost_text_while_it_is_typed_through(
    editor: Workbench, model: FakeModelServer
) -> None:
    say(model, ("area = wi", "dth * height + 2 * border"))
    editor.open("through.py")
    editor.type("area = wi")
    whole = editor.wait_for_ghost("dth * height")
    before = settle(editor, model)
    with editor.watch_ghost() as seen:
        editor.type("dth * height + 2", delay=60)
        editor.until(lambda: editor.ghost() == " * border", "the rest of the suggestion")
        assert settle(editor, model) == before
    editor.screenshot("typed-through")
    assert (seen[0], seen[-1]) == (whole, " * border")
    assert not [one for one in seen if not one or not whole.endswith(one)], seen
    editor.press("Tab")
    editor.wait_for_saved("through.py", f"{START}area = width * height + 2 * border")


def test_words_are_taken_one_by_one_and_the_model_is_not_asked_again(editor: Workbench, model: FakeModelServer) -> None:
    say(model, ("sum = ", "width * height + border"))
    editor.open("words.py")
    editor.type("sum = ")
    editor.wait_for_ghost("width * height + border")
    before = settle(editor, model)
    left = editor.ghost()
    for _ in range(3):
        editor.press("Control+ArrowRight")
        editor.until(lambda left=left: editor.ghost() != left, "a shorter rest")
        assert editor.ghost(), "the rest stays on screen"
        assert left.endswith(editor.ghost())
        left = editor.ghost()
        settle(editor, model)
        assert editor.ghost() == left, "the server's answer changes nothing"
    editor.screenshot("words")
    assert settle(editor, model) == before
    editor.press("Tab")
    editor.wait_for_saved("words.py", f"{START}sum = width * height + border")


def test_backspace_brings_the_suggestion_back_without_a_call(editor: Workbench, model: FakeModelServer) -> None:
    say(model, ("half = ", "width * height"))
    editor.open("back.py")
    editor.type("half = ")
    editor.wait_for_ghost("width * height")
    before = settle(editor, model)
    editor.type("wid")
    editor.until(lambda: editor.ghost() == "th * height", "the rest")
    editor.press(*["Backspace"] * 3)
    editor.until(lambda: editor.ghost() == "width * height", "all of it again")
    editor.screenshot("backspace")
    assert settle(editor, model) == before


def test_a_block_grows_after_its_first_lines_are_taken_and_the_model_was_asked_once(
    editor: Workbench, model: FakeModelServer
) -> None:
    say(model, ("def total(self, names):", TOTAL), delay=0.08)
    editor.open("streak.py")
    editor.press("Control+Home", *["ArrowDown"] * 4, "End")
    before = len(model.generations())
    editor.press("Enter")
    first = editor.wait_for_ghost("result = 0")
    assert settle(editor, model) == before + 1
    assert first != TOTAL, "the first lines are shown before the last ones are there"
    editor.screenshot("first-lines")
    editor.press("Tab")
    editor.until(lambda: (first + editor.ghost()).split() == TOTAL.split(), "the rest of the block")
    editor.screenshot("streak")
    assert settle(editor, model) == before + 1
    editor.press("Tab")
    editor.wait_for_saved("streak.py", SHOP.format(f"\n        {TOTAL}"))


def test_a_block_comes_in_one_piece_and_stands_where_it_was_drawn(editor: Workbench, model: FakeModelServer) -> None:
    say(model, ("def total(self, names):", TOTAL))
    editor.open("block.py")
    editor.press("Control+Home", *["ArrowDown"] * 4, "End", "Enter")
    # The editor draws the first line and those below it one after the other.
    editor.until(lambda: editor.ghost() == TOTAL, "the whole block")
    editor.screenshot("block")
    editor.press("Tab")
    editor.wait_for_saved("block.py", SHOP.format(f"\n        {TOTAL}"))


def test_the_popup_s_item_goes_on_in_the_ghost_text(editor: Workbench, model: FakeModelServer) -> None:
    say(model, ("total = height", "_of(2) + 1"), ("total = width", "_of(3) + 2"))
    editor.open("widget.py")
    editor.type("width, height = 3, 4\ntotal = ")
    editor.press("Control+Space")
    for item, ghost in (("width", "width_of(3) + 2"), ("height", "height_of(2) + 1")):
        select(editor, item)
        editor.until(lambda ghost=ghost: editor.ghost() == ghost, f"{item!r} and what follows it")
        editor.screenshot(f"popup-{item}")
    select(editor, "width")
    editor.until(lambda: editor.ghost() == "width_of(3) + 2", "the answer that was there already")
    editor.press("Enter")
    editor.until(lambda: editor.ghost() == "_of(3) + 2", "the rest behind the item that was taken")
    editor.screenshot("popup-taken")
    settle(editor, model)
    # On the way other items were selected, and asked about if the keys were slow enough; this one was once.
    assert [one["prefix"].endswith("total = width") for one in model.generations()].count(True) == 1
    editor.press("Tab")
    editor.wait_for_saved("widget.py", f"{START}width, height = 3, 4\ntotal = width_of(3) + 2")


def select(editor: Workbench, item: str) -> None:
    """Move to an item of the popup."""
    chosen = f"{SUGGEST_ROWS}.focused"
    editor.wait(SUGGEST_ROWS)
    for _ in range(60):
        if any(row.startswith(item) for row in editor.texts(chosen)):
            return
        row = editor.texts(chosen)
        editor.press("ArrowDown")
        editor.until(lambda row=row: editor.texts(chosen) != row, "the next item")
    raise AssertionError(f"{item!r} is not in the popup: {editor.texts(SUGGEST_ROWS)}")


def test_closed_pairs_are_not_closed_twice(editor: Workbench, model: FakeModelServer) -> None:
    say(model, ('Println("', 'area:", area(2, 3))\n}'), ("fmt.Println(", '"area:", area(2, 3))\n}'))
    editor.open("pairs.go")
    editor.press("Control+Home", *["ArrowDown"] * 5, "End")
    editor.type("fmt.Println(")
    assert editor.wait_for_ghost("area") == '"area:", area(2, 3)'
    editor.screenshot("bracket")
    editor.type('"')
    editor.until(lambda: editor.ghost().startswith("area:"), "the rest inside of the quotes")
    editor.screenshot("quote")
    editor.press("Backspace")
    editor.until(lambda: editor.ghost() == '"area:", area(2, 3)', "all of it again")
    editor.press("Tab")
    editor.wait_for_saved("pairs.go", GO.replace("\t\n", '\tfmt.Println("area:", area(2, 3))\n'))


def test_a_suggestion_kept_back_comes_when_it_is_asked_for(editor: Workbench, model: FakeModelServer) -> None:
    say(model, ("area = ", "width * height"))
    model.configure(logprobs=[-6.0])
    configure(editor, model, "show_threshold = 0.95")
    editor.open("silent.py")
    before = len(model.generations())
    editor.type("area = ")
    editor.until(lambda: len(model.generations()) > before, "a question")
    editor.until(lambda: status(editor)["reason"] == "unlikely", "the reason")
    assert not editor.ghost()
    editor.hover(STATUS)
    editor.wait('.monaco-hover:has-text("show_threshold")')
    editor.screenshot("kept-back")
    editor.unhover()
    asked = settle(editor, model)
    editor.run_command(TRIGGER)
    editor.wait_for_ghost("width * height")
    editor.screenshot("asked-for")
    assert settle(editor, model) == asked
    editor.press("Escape")
    editor.until(lambda: not editor.ghost(), "no ghost text")
    editor.press("Alt+Backslash")
    editor.wait_for_ghost("width * height")


def status(editor: Workbench) -> dict[str, str]:
    """What the server last said about itself."""
    params: dict[str, str] = editor.messages("dragoman/status")[-1]["params"]
    return params


def test_with_prefetch_the_next_line_is_there_when_the_first_is_taken(
    editor: Workbench, model: FakeModelServer
) -> None:
    say(model, ("\nheight = 4\n", ""), ("width = 3\n", "height = 4\n"), ("width", " = 3\n"))
    configure(editor, model, "prefetch = true")
    editor.open("ahead.py")
    before = len(model.generations())
    editor.type("width")
    editor.wait_for_ghost(" = 3")
    # On a slow machine the editor may ask in the middle of the word too.
    editor.until(
        lambda: any(one["prefix"].endswith("width = 3\n") for one in model.generations()[before:]), "the question ahead"
    )
    settle(editor, model)
    model.configure(silent=True)
    try:
        editor.press("Tab")
        editor.wait_for_ghost("height = 4")
        editor.screenshot("prefetched")
        editor.press("Tab")
        editor.wait_for_saved("ahead.py", f"{START}width = 3\nheight = 4")
    finally:
        model.configure(silent=False)
