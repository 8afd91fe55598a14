"""What a model reads of a conversation stays within the settings' tokens, and so does what a question names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.agents.tools.documents import DiskEditor
from dragoman.assistance.budget import ChatBudget
from dragoman.assistance.mentions import Attaching, attach
from dragoman.context.snippets import Snippet
from dragoman.errors import ContextOverflowError, RunError, SecretFileError
from dragoman.models.base import ChatMessage, ModelInfo
from dragoman.settings import Settings

INFO = ModelInfo("talker", "scripted", frozenset({"chat"}), 32_000)


def budget(**context: int) -> ChatBudget:
    return ChatBudget(INFO, Settings.model_validate({"context": context}), "You are short.")


async def test_only_the_newest_messages_that_fit_are_read() -> None:
    said = [ChatMessage("user" if at % 2 == 0 else "assistant", f"{at} " + "word " * 100) for at in range(20)]
    assert await budget(history_window=3).said_before(said, "And now?") == tuple(said[-3:])
    few = await budget(max_tokens=400).said_before(said, "And now?")
    assert few == tuple(said[-len(few) :])
    assert 0 < len(few) < 4


async def test_a_question_that_is_too_long_says_by_how_much_and_what_to_do() -> None:
    with pytest.raises(ContextOverflowError) as told:
        await budget(max_tokens=200).said_before((), "word " * 500)
    assert told.value.excess > 250
    assert "context.max_tokens" in str(told.value.hint)


async def test_what_is_named_is_cut_to_its_share_and_each_has_its_beginning(tmp_path: Path) -> None:
    lines = [f"line {number} of a long file\n" for number in range(4_000)]
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("".join(lines))
    chars = budget().attachment_chars
    how = Attaching((tmp_path,), DiskEditor(), lambda _path: None, {}, chars)

    text = await attach("What do @a.py and @b.py have in common?", how)

    first, second = text.split("Attached, ")[1:]
    assert "(the first " in first.splitlines()[0]
    assert " of 4,001 lines)" in first.splitlines()[0]
    assert chars // 2 < len(first) < chars + 200
    assert "line 0 of a long file" in second
    assert 300 < len(second) < 800
    # Whole lines, and the question fits with what it names.
    assert first.strip().splitlines()[-2].endswith("of a long file")
    assert await budget().said_before((), text) == ()


class Defined:
    """An index that knows where two functions are."""

    async def map(self, focus: object, **more: object) -> tuple[Snippet, ...]:
        raise AssertionError("nobody asks for a map")

    async def symbols(self, name: str, *, limit: int) -> tuple[Snippet, ...]:
        places = {"total": [("cart.py", 3), (".env", 1)]}.get(name, [])
        return tuple(Snippet("definitions", path, name, 3, 1.0, line) for path, line in places[:limit])


async def test_a_symbol_is_attached_from_where_it_is_defined(tmp_path: Path) -> None:
    (tmp_path / "cart.py").write_text("import math\n\ndef total(items):\n    return sum(items)\n")
    (tmp_path / ".env").write_text("total=secret\n")

    def may_send(path: Path) -> None:
        if path.name == ".env":
            raise SecretFileError("No.")

    how = Attaching((tmp_path,), DiskEditor(), may_send, {}, index=Defined())
    text = await attach("What does @symbol:Cart.total do? And @symbol:total?", how)
    assert (
        "Attached, Cart.total, where it is defined:\n```\ncart.py:3\ndef total(items):\n    return sum(items)\n```"
        in text
    )
    assert "import math" not in text
    assert "secret" not in text
    with pytest.raises(RunError, match="@symbol:missing cannot be attached"):
        await attach("And @symbol:missing?", how)
    # Without an index it stays a word.
    assert (
        await attach("And @symbol:total?", Attaching((tmp_path,), DiskEditor(), may_send, {})) == "And @symbol:total?"
    )
