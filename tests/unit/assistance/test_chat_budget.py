"""What a model reads of a conversation stays within the settings' tokens, and so does what a question names."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.agents.tools.documents import DiskEditor
from dragoman.assistance.budget import ChatBudget
from dragoman.assistance.mentions import Attaching, attach
from dragoman.errors import ContextOverflowError
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
