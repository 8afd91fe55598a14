"""Our runtime behind the script of M9, with its own tools, policy and approval: `python -m tests.bench.agent_steps_ours`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar

from dragoman.agents.run import Run, RunLimits
from dragoman.agents.runtime import AgentRuntime, RunRequest
from dragoman.agents.tools.approval import ApprovalQueue, Decision, Question
from dragoman.agents.tools.base import Arguments, Subjects, Tool, ToolContext, ToolResult
from dragoman.agents.tools.documents import DiskEditor
from dragoman.agents.tools.policy import Permission, Policy
from dragoman.agents.tools.registry import ToolRegistry
from dragoman.models.base import ChatRequest, Chunk, ModelInfo, ToolCallDelta, Usage
from tests.bench.agent_steps_service import ANSWER, LOOKS, SYSTEM, TASK, arguments, seen, serve


class LookArguments(Arguments):
    n: int


class Look(Tool[LookArguments]):
    name = "look"
    description = "Look at a thing."
    permission: ClassVar[Permission] = "read"
    arguments = LookArguments

    def subjects(self, arguments: LookArguments, context: ToolContext) -> Subjects:
        return Subjects(f"Look at {arguments.n}")

    async def call(self, arguments: LookArguments, context: ToolContext, call_id: str) -> ToolResult:
        return ToolResult(seen(arguments.n))


class Change(Look):
    """Asks a person first."""

    name = "change"
    description = "Change a thing."
    permission: ClassVar[Permission] = "write"


class Scripted:
    """A model that calls as the script says, told by the answers it has given, and then answers."""

    def __init__(self) -> None:
        self.steps, self.calls, self.changes = 1, 1, False
        self.info = ModelInfo("scripted", "scripted", frozenset({"chat", "tools"}), 100_000)

    async def for_role(self, role: str, needs: object = None) -> Scripted:
        return self

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        turn = sum(message.role == "assistant" for message in request.messages)
        if turn == self.steps:
            yield Chunk(ANSWER)
            yield Chunk(finish="stop", usage=Usage(100, 10))
            return
        tool = "change" if self.changes and turn == LOOKS else "look"
        for call in range(self.calls):
            given = json.dumps(arguments(turn, call))
            yield Chunk(tool_calls=(ToolCallDelta(call, f"c{turn}_{call}", tool, given),))
        yield Chunk(finish="tool_calls", usage=Usage(100, 10))


class Ours:
    """One runtime for all runs."""

    def __init__(self) -> None:
        self.model = Scripted()
        self._runtime = AgentRuntime(self.model)  # type: ignore[arg-type]
        self._tools = ToolRegistry([Look(), Change()])
        self._asked: asyncio.Queue[Question] = asyncio.Queue()
        self._approvals = ApprovalQueue(self._asked.put_nowait)
        self._waiting: list[tuple[Run, Question]] = []

    def begin(self) -> Run:
        context = ToolContext((Path.cwd(),), DiskEditor(), Policy(trusted=True), approver=self._approvals)
        request = RunRequest("looker", TASK, SYSTEM, limits=RunLimits(steps=1_000))
        return self._runtime.start(request, self._tools, context)

    async def run(self, steps: int, calls: int) -> str:
        self.model.steps, self.model.calls, self.model.changes = steps, calls, False
        return await self.begin().wait()

    async def pause(self) -> None:
        self.model.steps, self.model.calls, self.model.changes = LOOKS + 1, 1, True
        run = self.begin()
        self._waiting.append((run, await self._asked.get()))

    async def go_on(self) -> int:
        waiting, self._waiting = self._waiting, []
        for run, question in waiting:
            self._approvals.answer(run.id, question.call_id, Decision("allow"))
        return sum([await run.wait() == ANSWER for run, _ in waiting])


if __name__ == "__main__":
    serve(Ours())
