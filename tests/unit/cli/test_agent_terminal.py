"""Agents at a terminal: lines, questions with their difference, answers of one letter, and text that cannot move the cursor."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from dragoman.agents.tools.approval import Question
from dragoman.cli.agent_desk import classes_of, folder_of
from dragoman.cli.following import describe
from dragoman.cli.permission import TerminalApprover, preview
from dragoman.cli.terminal import InputLines, harmless


def question(tool: str, permission: str = "write", **arguments: Any) -> Question:
    summary = "Edit calc.py \x1b[2K\rRead calc.py"
    return Question("run_1", "c1", "fixer", tool, cast("Any", permission), arguments, summary, "edit_file for 'fixer'")


async def test_lines_come_as_they_are_typed_and_waiting_can_be_given_up() -> None:
    reading, writing = os.pipe()
    try:
        lines = InputLines(reading)
        os.write(writing, b"one\r\ntw" + "ö\n\nlast".encode())
        assert [await lines.read() for _ in range(3)] == ["one", "twö", ""]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await lines.read()
        os.write(writing, b" words")
        os.close(writing)
        writing = -1
        assert [await lines.read() for _ in range(2)] == ["last words", None]
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)


async def test_a_file_is_read_like_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("a\nb")
    with (tmp_path / "in").open("rb") as file:
        lines = InputLines(file.fileno())
        assert [await lines.read() for _ in range(3)] == ["a", "b", None]


def test_what_a_model_says_cannot_move_the_cursor_or_turn_the_text_around() -> None:
    assert harmless("a\x1b[2K\x9b1mb\u202ec\td\r\ne\x07") == "a[2K1mbc\td\ne"


@pytest.mark.parametrize(
    ("line", "decision", "remember"),
    [
        ("y", "allow", "once"),
        ("R", "allow", "run"),
        ("always", "allow", "always"),
        ("n", "deny", "once"),
        ("", "deny", "once"),
        ("what?", "deny", "once"),
        (None, "deny", "once"),
    ],
)
async def test_one_letter_answers_and_anything_else_is_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str | None, decision: str, remember: str
) -> None:
    class Typed:
        async def read(self) -> str | None:
            return line

    (tmp_path / "calc.py").write_text("a\nb\nc\n")
    approver = TerminalApprover((tmp_path,), cast("InputLines", Typed()))
    answer = await approver.ask(question("edit_file", path="calc.py", old="b", new="B"))
    assert (answer.decision, answer.remember) == (decision, remember)
    shown = capsys.readouterr().err
    assert "-b" in shown
    assert "+B" in shown
    assert "edit_file for 'fixer'" in shown
    assert "\x1b[2K" not in shown
    assert "\r" not in shown


async def test_without_a_terminal_it_is_a_no_and_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    approver = TerminalApprover((tmp_path,), None)
    for permission in ("write", "write", "run", "network"):
        assert not (await approver.ask(question("x", permission))).is_allowed
    said = capsys.readouterr().err
    assert said.count("nobody can be asked here") == 3
    assert said.count("--allow write") == 1
    assert "--allow network" not in said


BLOCKS = "<<<<<<< SEARCH\nb\n=======\nB\n>>>>>>> REPLACE"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (question("run_command", argv=["rm", "a b"]), "$ rm 'a b'"),
        (question("edit_file", path="calc.py", blocks=BLOCKS), "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c"),
        (question("edit_file", path="calc.py", old="z", new="Z"), "[calc.py"),
        (question("write_file", path="calc.py", content="a\nc\n"), "@@ -1,3 +1,2 @@\n a\n-b\n c"),
        (question("create_file", path="new.py", content="x\n"), "@@ -0,0 +1 @@\n+x"),
        (question("write_file", path="../x", content="x\n"), "['../x' leads out"),
        (question("delete_file", path="calc.py"), ""),
    ],
)
async def test_a_question_shows_what_would_be_done(tmp_path: Path, asked: Question, shown: str) -> None:
    (tmp_path / "calc.py").write_text("a\nb\nc\n")
    told = await preview(asked, (tmp_path,))
    if shown.startswith("["):
        assert told.startswith("[")
        assert told.endswith("]")
    else:
        assert told == shown


def test_a_call_is_one_line() -> None:
    assert describe({"path": "a.py", "content": "x\ny"}) == "a.py"
    assert describe({"argv": ["pytest", "-q"]}) == "pytest -q"
    assert describe({"path": ".", "pattern": "x"}) == '. {"pattern": "x"}'
    assert describe({}) == ""
    assert describe("{broken\n\x1b") == '"{broken\\n\\u001b"'
    assert len(describe({"x": "y" * 500})) == 100


def test_flags_that_are_wrong_are_usage_errors(tmp_path: Path) -> None:
    assert classes_of(["run"], yes=False) == {"run"}
    assert classes_of(None, yes=True) == {"run", "write"}
    with pytest.raises(typer.BadParameter, match="network"):
        classes_of(["network"], yes=True)
    with pytest.raises(typer.BadParameter, match="no folder"):
        folder_of(tmp_path / "nowhere")
