"""Asking for permission in an editor: where the run is shown, by buttons of a message everywhere else."""

from __future__ import annotations

import asyncio
from typing import Final

from dragoman.agents.tools.approval import DENIED, ApprovalQueue, Decision, Question
from dragoman.agents.tools.policy import Remember
from dragoman.cancellation import TaskSet
from dragoman.lsp.services import ClientPort

ANSWERS: Final[dict[str, Decision]] = {
    "Allow once": Decision("allow"),
    "Allow in this run": Decision("allow", "run"),
    "Always allow": Decision("allow", "always"),
    "Deny": DENIED,
}


class EditorApprover:
    """An `Approver` for one editor; a question that is dismissed is a no."""

    def __init__(self, client: ClientPort, tasks: TaskSet) -> None:
        self._client = client
        self._tasks = tasks
        self._asking: dict[tuple[str, str], asyncio.Task[None]] = {}
        self.queue = ApprovalQueue(self._show, self._withdraw)

    async def ask(self, question: Question) -> Decision:
        """Ask and wait."""
        return await self.queue.ask(question)

    def answer(self, run_id: str, call_id: str, *, allow: bool, remember: Remember) -> bool:
        """Take an answer from where the run is shown."""
        return self.queue.answer(run_id, call_id, Decision("allow" if allow else "deny", remember))

    def _show(self, question: Question) -> None:
        # A client that shows runs has been told by the run's event already.
        if not self._client.shows_runs:
            self._asking[_key(question)] = self._tasks.start(self._message(question), name="permission")

    def _withdraw(self, question: Question) -> None:
        if (asking := self._asking.pop(_key(question), None)) is not None:
            asking.cancel()

    async def _message(self, question: Question) -> None:
        try:
            text = f"Dragoman's {question.agent} wants to: {question.summary}"
            chosen = await self._client.ask("warning", text, list(ANSWERS))
            self.queue.answer(question.run_id, question.call_id, ANSWERS.get(chosen or "", DENIED))
        finally:
            self._asking.pop(_key(question), None)


def _key(question: Question) -> tuple[str, str]:
    # Models number the calls of each run anew.
    return question.run_id, question.call_id
