"""What models without tools or schemas of their own get to read, as a page: `tests/golden/prompts`.

`pytest --update-golden` writes the pages anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.models.assembly import gather_answer
from dragoman.models.base import ChatMessage, ChatRequest, Tool, ToolCall
from dragoman.models.structured import ask_structured
from dragoman.models.tool_calls import ToolCallingModel
from tests.support.scripted_chat import ScriptedChat

FOLDER = Path(__file__).parents[2] / "golden" / "prompts"
PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = (Tool("read_file", "Read a file.", PATH), Tool("list_files", "List the files of a folder.", PATH))
SYSTEM, QUESTION = ChatMessage("system", "You help with code."), ChatMessage("user", "What does setup.py hold?")
CALL = ToolCall("1", "read_file", '{"path": "setup.py"}')
HISTORY = (
    SYSTEM,
    QUESTION,
    ChatMessage("assistant", "I look.", tool_calls=(CALL,)),
    ChatMessage("tool", 'name = "pony"', tool_call_id="1"),
    ChatMessage("assistant", "It holds a name."),
    ChatMessage("user", "Which?"),
)
VERDICT = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
WRONG = '{"tool": "read_files", "arguments": {}}'
RIGHT = '{"tool": "read_file", "arguments": {"path": "setup.py"}}'
REQUESTS = {
    "tools": ChatRequest(HISTORY, tools=TOOLS),
    "tools_required": ChatRequest((QUESTION,), tools=TOOLS, tool_choice="required"),
    "tools_and_schema": ChatRequest((QUESTION,), tools=TOOLS[:1], json_schema=VERDICT),
}


def page(model: ScriptedChat) -> str:
    """Return the last request as a page; it holds what went before."""
    return "\n".join(f"== {message.role}\n{message.content}\n" for message in model.requests[-1].messages)


@pytest.mark.parametrize("name", [*REQUESTS, "schema"])
async def test_golden(name: str, update_golden: bool) -> None:
    if name == "schema":
        model = ScriptedChat(['{"ok": "yes"}', '{"ok": true}'])
        await ask_structured(model, ChatRequest((SYSTEM, QUESTION)), VERDICT)
    else:
        model = ScriptedChat([WRONG, RIGHT])
        await gather_answer(ToolCallingModel(model).chat(REQUESTS[name]))
    path = FOLDER / f"{name}.txt"
    if update_golden:
        path.write_text(page(model), encoding="utf-8")
    assert page(model) == path.read_text(encoding="utf-8")
