"""Questions for permission by the buttons of a message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dragoman.agents.tools.approval import Question
from dragoman.assistance.permission import EditorApprover
from dragoman.cancellation import TaskSet, cancel_and_wait


class Editor:
    """Shows questions and leaves them open."""

    shows_runs = False

    def __init__(self) -> None:
        self.open: dict[str, asyncio.Future[str | None]] = {}

    async def ask(self, _kind: str, text: str, _actions: Sequence[str]) -> str | None:
        self.open[text] = asyncio.get_running_loop().create_future()
        return await self.open[text]


async def test_a_question_that_is_withdrawn_leaves_those_of_other_runs_open() -> None:
    editor, tasks = Editor(), TaskSet()
    approver = EditorApprover(editor, tasks)  # type: ignore[arg-type] - it is asked questions only
    # Models number the calls of each run anew.
    asked = [
        asyncio.create_task(
            approver.ask(Question(run, "call_0", "fixer", "write_file", "write", {}, f"write for {run}"))
        )
        for run in ("one", "two")
    ]
    while len(editor.open) < 2:
        await asyncio.sleep(0)
    await cancel_and_wait(asked[0])
    await asyncio.sleep(0)
    first, second = editor.open.values()
    assert first.cancelled()
    assert not second.done()
    second.set_result("Allow once")
    assert (await asked[1]).is_allowed
    await tasks.aclose()
