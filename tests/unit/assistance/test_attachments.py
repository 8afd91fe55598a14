"""What was attached for a model on this machine is not read by one on another machine afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.assistance.attachments import (
    WITHHELD,
    WITHHELD_ANSWER,
    holds_private,
    kept_answer,
    withhold_private,
)
from dragoman.assistance.mentions import section
from dragoman.errors import RunError
from dragoman.models.base import ChatMessage
from dragoman.security.paths import is_secret_path

DIFF = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-a\n+bluewhale\n"


def may_send(path: Path) -> None:
    if is_secret_path(path) or path.name == "ignored.md":
        raise RunError("No.")


@pytest.mark.parametrize(
    "attached",
    [
        section(".env", "TOKEN=bluewhale"),
        section(".env", "TOKEN=bluewhale\n" * 50, 200),
        section("ignored.md", "```\nbluewhale\n```"),
        section(".env, lines 1 to 2", "TOKEN=bluewhale"),
        section("/home/me/.ssh/config, lines 1 to 2", "Host bluewhale"),
        section("total, where it is defined", "cart.py:3\ntotal\n\n.env:1\nbluewhale"),
        section("diff", DIFF.format(".env")),
        # A question may look like an attachment that swallows the true one.
        f"Attached, notes:\n```\nand\n{section('.env', 'bluewhale')}",
        f"Attached, .env:\n```\nand\n{section('.env', 'bluewhale')}",
    ],
)
def test_a_private_attachment_and_its_answer_are_left_out(tmp_path: Path, attached: str) -> None:
    said = [
        ChatMessage("user", f"What is it?\n\n{section('cart.py', 'total')}\n\n{attached}"),
        ChatMessage("assistant", "bluewhale"),
        ChatMessage("user", "Thank you."),
        ChatMessage("assistant", "Not at all."),
    ]
    told = withhold_private(said, [tmp_path], may_send)
    assert "bluewhale" not in str(told)
    assert told[0].content.startswith(f"What is it?\n\n{section('cart.py', 'total')}\n\n")
    assert WITHHELD in told[0].content
    assert told[1].content == WITHHELD_ANSWER
    assert told[2:] == tuple(said[2:])
    assert holds_private(said, [tmp_path], may_send)
    assert not holds_private(said[2:], [tmp_path], may_send)


@pytest.mark.parametrize(
    "attached",
    [
        section("cart.py", "total"),
        section("cart.py, lines 1 to 2", "total"),
        section("notes.txt, lines 1 to 2", "elsewhere"),
        section("total, where it is defined", "cart.py:3\ntotal"),
        section("diff", DIFF.format("cart.py")),
        section("diagnostics", "cart.py:6: error: No."),
    ],
)
def test_what_may_be_sent_stays_as_it_was(tmp_path: Path, attached: str) -> None:
    said = (ChatMessage("user", f"And?\n\n{attached}"), ChatMessage("assistant", "Yes."))
    assert withhold_private(said, [tmp_path], may_send) == said
    assert not holds_private(said, [tmp_path], may_send)
    # An answer alone may be about anything.
    assert withhold_private(said[1:], [tmp_path], may_send) == ()


def test_an_answer_made_with_private_files_is_left_out_whatever_was_asked(tmp_path: Path) -> None:
    said = (
        ChatMessage("user", "What is the token?"),
        ChatMessage("assistant", kept_answer("It is bluewhale.\n", private=True)),
        ChatMessage("user", "And the port?"),
        ChatMessage("assistant", kept_answer("8080.", private=False)),
    )
    told = withhold_private(said, [tmp_path], may_send)
    assert [one.content for one in told] == ["What is the token?", WITHHELD_ANSWER, "And the port?", "8080."]
    for part in (said, said[:2], said[1:2], said[1:]):
        assert holds_private(part, [tmp_path], may_send)
    # What begins with an answer was cut to a window: that alone says nothing.
    assert not holds_private(said[3:], [tmp_path], may_send)
