"""A peer: pydantic-ai, bare, behind the script of M9; runs in an environment of its own.

A run that asks a person has ended for it, as its documentation shows; what is kept are the run's messages.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pydantic_ai
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, UsageLimits
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from tests.bench.agent_steps_service import ANSWER, LOOKS, SYSTEM, TASK, arguments, seen, serve

pydantic_ai.BANNER_ENABLED = False
LIMITS = UsageLimits(request_limit=None)


class Bare:
    """One agent for all runs."""

    def __init__(self) -> None:
        self._steps, self._calls, self._changes = 1, 1, False
        self._waiting: list[tuple[list[ModelMessage], str]] = []
        self._agent: Agent[None, Any] = Agent(
            FunctionModel(self._answer), output_type=[str, DeferredToolRequests], instructions=SYSTEM
        )

        @self._agent.tool_plain
        async def look(n: int) -> str:
            """Look at a thing."""
            return seen(n)

        @self._agent.tool_plain(requires_approval=True)
        async def change(n: int) -> str:
            """Change a thing."""
            return seen(n)

    async def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        if turn == self._steps:
            return ModelResponse([TextPart(ANSWER)])
        tool = "change" if self._changes and turn == LOOKS else "look"
        return ModelResponse(
            [ToolCallPart(tool, arguments(turn, call), f"c{turn}_{call}") for call in range(self._calls)]
        )

    async def run(self, steps: int, calls: int) -> str:
        self._steps, self._calls, self._changes = steps, calls, False
        return str((await self._agent.run(TASK, usage_limits=LIMITS)).output)

    async def pause(self) -> None:
        self._steps, self._calls, self._changes = LOOKS + 1, 1, True
        result = await self._agent.run(TASK, usage_limits=LIMITS)
        (call,) = result.output.approvals
        self._waiting.append((result.all_messages(), call.tool_call_id))

    async def go_on(self) -> int:
        waiting, self._waiting = self._waiting, []
        return sum(await asyncio.gather(*(self._allow(messages, call) for messages, call in waiting)))

    async def _allow(self, messages: list[ModelMessage], call: str) -> bool:
        allowed = DeferredToolResults(approvals={call: True})
        result = await self._agent.run(message_history=messages, deferred_tool_results=allowed, usage_limits=LIMITS)
        return bool(result.output == ANSWER)


if __name__ == "__main__":
    serve(Bare())
