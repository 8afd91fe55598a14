"""Asking a person for permission: one question at a time for each run, and what is remembered of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dragoman.agents.tools.policy import Permission, Remember


@dataclass(frozen=True, slots=True)
class Question:
    """May this call be made?  ``summary`` is a sentence for a person, ``covers`` says what a remembered answer would count for."""

    run_id: str
    call_id: str
    agent: str
    tool: str
    permission: Permission
    arguments: Mapping[str, Any]
    summary: str
    covers: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer."""

    decision: Literal["allow", "deny"]
    remember: Remember = "once"

    @property
    def is_allowed(self) -> bool:
        """Whether the call may be made."""
        return self.decision == "allow"


DENIED = Decision("deny")
"""What a dismissed question means."""


class Approver(Protocol):
    """Whoever asks a person, through the door that the run came from."""

    async def ask(self, question: Question) -> Decision:
        """Ask and wait; cancelling withdraws the question."""
        ...


class Refusal:
    """An approver for runs at which nobody looks: every question is a no."""

    async def ask(self, question: Question) -> Decision:  # noqa: ARG002 - the answer is always the same
        """Say no."""
        return DENIED


@dataclass(slots=True)
class _Run:
    """The questions of one run."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    open: Question | None = None
    answer: asyncio.Future[Decision] | None = None
    closed: bool = False


class ApprovalQueue:
    """An `Approver` for doors that show a question and hear its answer later; use it from one event loop.

    ``show`` is called when a question's turn has come, ``withdraw`` when nobody wants its answer any more.
    """

    def __init__(
        self, show: Callable[[Question], None], withdraw: Callable[[Question], None] = lambda _question: None
    ) -> None:
        self._show = show
        self._withdraw = withdraw
        self._runs: dict[str, _Run] = {}

    async def ask(self, question: Question) -> Decision:
        """Wait for the run's turn, show the question and wait for its answer; a closed run's are all denied."""
        run = self._runs.setdefault(question.run_id, _Run())
        run.waiting += 1
        try:
            async with run.turn:
                return DENIED if run.closed else await self._ask_now(run, question)
        finally:
            run.waiting -= 1
            if not run.waiting and self._runs.get(question.run_id) is run:
                del self._runs[question.run_id]

    async def _ask_now(self, run: _Run, question: Question) -> Decision:
        run.open, run.answer = question, asyncio.get_running_loop().create_future()
        try:
            self._show(question)
            return await run.answer
        except asyncio.CancelledError:
            self._withdraw(question)
            raise
        finally:
            run.open = run.answer = None

    def open_question(self, run_id: str) -> Question | None:
        """Return the question that the run waits for, None without."""
        run = self._runs.get(run_id)
        return run.open if run is not None else None

    def answer(self, run_id: str, call_id: str, decision: Decision) -> bool:
        """Answer an open question; False when it is not open (any more), and then nothing is decided."""
        run = self._runs.get(run_id)
        if run is None or run.open is None or run.open.call_id != call_id or run.answer is None or run.answer.done():
            return False
        run.answer.set_result(decision)
        return True

    def dismiss(self, run_id: str, call_id: str) -> bool:
        """Take a closed dialog for a no, once."""
        return self.answer(run_id, call_id, DENIED)

    def close_run(self, run_id: str) -> None:
        """Deny what is open and what waits, for a run whose door is gone."""
        run = self._runs.get(run_id)
        if run is None:
            return
        run.closed = True
        if run.answer is not None and not run.answer.done():
            run.answer.set_result(DENIED)
