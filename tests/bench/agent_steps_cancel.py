"""Our runs cancelled at eight points; what of them is left over: tasks, processes, answers of the model, questions."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import psutil

from dragoman.agents.run import RunState
from dragoman.agents.runtime import AgentRuntime, RunRequest
from dragoman.agents.tools.approval import ApprovalQueue, Question
from dragoman.agents.tools.base import ToolContext, ToolResult
from dragoman.agents.tools.documents import DiskEditor
from dragoman.agents.tools.policy import Policy, Rule
from dragoman.agents.tools.registry import ToolRegistry
from dragoman.agents.tools.shell import RunCommand
from dragoman.models.base import ChatRequest, Chunk, ModelInfo, ToolCallDelta, Usage
from tests.bench.agent_steps_ours import Change, Look, LookArguments
from tests.bench.agent_steps_service import SYSTEM, TASK
from tests.bench.report import Row, distribution

POINTS = (
    "before it began",
    "a model is looked for",
    "its state is kept",
    "before the first word",
    "amid an answer",
    "a person is asked",
    "a tool waits",
    "a program runs",
)
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
"""A program with a program of its own."""


class Wait(Look):
    """Waits for ever."""

    name = "wait"

    def __init__(self, reached: Callable[[], None]) -> None:
        self._reached = reached

    async def call(self, arguments: LookArguments, context: ToolContext, call_id: str) -> ToolResult:
        self._reached()
        return await asyncio.get_running_loop().create_future()


class Stopping:
    """Model, store and tools of a run that comes to one point and stays there."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.reached = asyncio.Event()
        self.talking = 0
        self.info = ModelInfo("scripted", "scripted", frozenset({"chat", "tools"}), 100_000)
        self.kept = ""
        self.others = {one.pid for one in psutil.Process().children(recursive=True)}
        """Programs that this process had before and that are none of the run's."""

    async def _stay(self, point: str) -> None:
        if self.point == point and not self.reached.is_set():
            self.reached.set()
            await asyncio.get_running_loop().create_future()

    async def for_role(self, role: str, needs: object = None) -> Stopping:
        await self._stay("a model is looked for")
        return self

    async def save(self, state: RunState) -> None:
        self.kept = state.status
        await self._stay("its state is kept")

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.talking += 1
        try:
            await self._stay("before the first word")
            yield Chunk("I will")
            await self._stay("amid an answer")
            name, given = {
                "a person is asked": ("change", {"n": 1}),
                "a program runs": ("run_command", {"argv": [sys.executable, "-c", CHILD]}),
            }.get(self.point, ("wait", {"n": 1}))
            yield Chunk(tool_calls=(ToolCallDelta(0, "c1", name, json.dumps(given)),))
            yield Chunk(finish="tool_calls", usage=Usage(10, 10))
        finally:
            self.talking -= 1

    def show(self, question: Question) -> None:
        self.reached.set()

    async def come(self) -> None:
        """Return when the run is where it stays."""
        if self.point == "before it began":
            return
        if self.point == "a program runs":
            # The program's own program must be there too.
            while sum(one.pid not in self.others for one in psutil.Process().children(recursive=True)) < 2:
                await asyncio.sleep(0.01)
            return
        await self.reached.wait()


async def cancel_at(point: str, count: int) -> Row:
    """Cancel so many runs at a point, and count what is left of them and whether each told its end once."""
    times, tasks, programs, answers, well = [], 0, 0, 0, 0
    for _ in range(count):
        scene = Stopping(point)
        before = asyncio.all_tasks()
        runtime = AgentRuntime(scene, store=scene)  # type: ignore[arg-type]
        approvals = ApprovalQueue(scene.show)
        policy = Policy((Rule("allow", "run"),), trusted=True)
        context = ToolContext((Path.cwd(),), DiskEditor(), policy, approver=approvals)
        tools = ToolRegistry([Change(), Wait(scene.reached.set), RunCommand()])
        run = runtime.start(RunRequest("looker", TASK, SYSTEM), tools, context)
        await scene.come()
        begun = [one for one in psutil.Process().children(recursive=True) if one.pid not in scene.others]
        began = time.perf_counter()
        await run.cancel()
        times.append((time.perf_counter() - began) * 1000)
        tasks += len(asyncio.all_tasks() - before)
        # Whoever lost its parent is nobody's child here any more, and is asked itself.
        programs += sum(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in begun)
        answers += scene.talking + (approvals.open_question(run.id) is not None)
        ends = [event.type for event in [event async for event in run.events()] if event.is_last]
        # What had not begun has nothing to keep.
        well += ends == ["cancelled"] and (scene.kept == "cancelled" or point == POINTS[0])
        await runtime.aclose()
    return {
        "subject": "Dragoman",
        "what": f"cancelled: {point}",
        "unit": "ms",
        **distribution([times]),
        "value": distribution([times])["p50"],
        "asked": count,
        "ended": well,
        "left_over": tasks + programs + answers,
        "left_tasks": tasks,
        "left_processes": programs,
    }


async def cancel_everywhere(count: int, measure: Callable[[str, int], Awaitable[Row]] = cancel_at) -> list[Row]:
    """Return a row for each point; programs are slower to begin, so fewer of those."""
    await measure(POINTS[-2], 1)
    return [await measure(point, count if point != POINTS[-1] else max(1, count // 10)) for point in POINTS]
