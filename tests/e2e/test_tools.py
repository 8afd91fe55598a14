"""The embedded model calls tools, though it has learnt none: held to a schema, a small one keeps to the form."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.models.assembly import gather_answer, parse_arguments
from dragoman.models.base import ChatMessage, ChatRequest, Tool
from dragoman.models.providers.embedded import EmbeddedProvider
from dragoman.models.tool_calls import ToolCallingModel
from tests.support.weights import weights_dir  # noqa: F401 - a fixture

pytestmark = pytest.mark.model

PATH = {
    "type": "object",
    "properties": {"path": {"type": "string"}},
    "required": ["path"],
    "additionalProperties": False,
}
READ = Tool("read_file", "Read a file.", PATH)
LIST = Tool("list_files", "List the files of a folder.", PATH)
QUESTION = ChatMessage("user", "What does the file setup.py hold?")


async def test_the_embedded_model_calls_a_tool_and_answers_with_its_result(weights_dir: Path) -> None:  # noqa: F811
    provider = EmbeddedProvider(data_dir=weights_dir, threads=1)
    (info,) = await provider.models()
    assert "tools" not in info.capabilities
    model = ToolCallingModel(provider.model(info))
    try:
        request = ChatRequest((QUESTION,), max_tokens=64, temperature=0.0, tools=(READ, LIST), tool_choice="required")
        called = await gather_answer(model.chat(request))
        (call,) = called.tool_calls
        assert called.finish == "tool_calls"
        assert call.name in {"read_file", "list_files"}
        arguments = parse_arguments(call)
        assert arguments.keys() == {"path"}
        assert isinstance(arguments["path"], str)

        result = ChatMessage("tool", 'name = "pony"', tool_call_id=call.id)
        history = (QUESTION, ChatMessage("assistant", "", tool_calls=(call,)), result)
        request = ChatRequest(history, max_tokens=24, temperature=0.0, tools=(READ,), tool_choice="auto")
        chunks = [chunk async for chunk in model.chat(request)]
        text = "".join(chunk.text for chunk in chunks)
        # It may call again, but it does not show the form to anyone.
        assert not text.startswith("{")
        assert text or chunks[-1].tool_calls
        assert chunks[-1].finish is not None
    finally:
        await provider.aclose()
