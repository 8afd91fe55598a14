"""A peer: langgraph, from its own package, behind the script of M9; runs in an environment of its own.

The graph is the one of its documentation: a node for the model, one for the tools, an edge back.
"""

import asyncio
import uuid

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt

from tests.bench.agent_steps_service import ANSWER, LOOKS, SYSTEM, TASK, arguments, seen, serve


@tool
async def look(n: int) -> str:
    """Look at a thing."""
    return seen(n)


@tool
async def change(n: int) -> str:
    """Change a thing."""
    return seen(n) if interrupt(f"May I change {n}?") else "no"


class Graph:
    """One graph for all runs, and the same with a checkpointer for those that ask a person."""

    def __init__(self):
        self.steps, self.calls, self.changes = 1, 1, False
        graph = StateGraph(MessagesState)
        graph.add_node("model", self.answer)
        graph.add_node("tools", ToolNode([look, change]))
        graph.add_edge(START, "model")
        graph.add_conditional_edges("model", tools_condition)
        graph.add_edge("tools", "model")
        self.graph = graph.compile()
        self.keeping = graph.compile(checkpointer=InMemorySaver())
        self.begin = {"messages": [SystemMessage(SYSTEM), HumanMessage(TASK)]}
        self.waiting = []

    async def answer(self, state):
        turn = sum(isinstance(message, AIMessage) for message in state["messages"])
        if turn == self.steps:
            return {"messages": [AIMessage(ANSWER)]}
        name = "change" if self.changes and turn == LOOKS else "look"
        calls = [
            {"name": name, "args": arguments(turn, call), "id": f"c{turn}_{call}", "type": "tool_call"}
            for call in range(self.calls)
        ]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    async def run(self, steps, calls):
        self.steps, self.calls, self.changes = steps, calls, False
        result = await self.graph.ainvoke(self.begin, {"recursion_limit": 1_000})
        return result["messages"][-1].content

    async def pause(self):
        self.steps, self.calls, self.changes = LOOKS + 1, 1, True
        config = {"configurable": {"thread_id": str(uuid.uuid4())}, "recursion_limit": 1_000}
        result = await self.keeping.ainvoke(self.begin, config)
        assert result["__interrupt__"]
        self.waiting.append(config)

    async def go_on(self):
        waiting, self.waiting = self.waiting, []
        return sum(await asyncio.gather(*(self.allow(config) for config in waiting)))

    async def allow(self, config):
        result = await self.keeping.ainvoke(Command(resume=True), config)
        return result["messages"][-1].content == ANSWER


if __name__ == "__main__":
    serve(Graph())
