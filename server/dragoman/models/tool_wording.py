"""How tools are put to a model that knows none: an instruction, a JSON schema of its answer, and a history in that form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dragoman.models.base import ChatMessage, ChatRequest, Tool, ToolCall
from dragoman.models.json_text import load_json
from dragoman.models.prompts import instruct, read_prompt


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model may do next: call one of ``tools``, and where ``may_answer``, answer the user."""

    tools: tuple[Tool, ...]
    may_answer: bool

    def find(self, name: str) -> Tool | None:
        """Return the tool of that name, None when it is not offered."""
        return next((tool for tool in self.tools if tool.name == name), None)


def read_offer(request: ChatRequest) -> Offer:
    """Return what the request's tools and ``tool_choice`` offer; the name of a tool that is not there offers none."""
    match request.tool_choice:
        case "none":
            return Offer((), may_answer=True)
        case "auto":
            return Offer(request.tools, may_answer=True)
        case "required":
            return Offer(request.tools, may_answer=False)
        case name:
            return Offer(tuple(tool for tool in request.tools if tool.name == name), may_answer=False)


def build_schema(offer: Offer, answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the JSON schema of the next answer: one alternative for each tool, and one for the user's answer.

    ``answer`` is the schema of what the user gets, None for text.
    The discriminating key comes first in each, so that a stream tells at once which it is.
    """
    definitions: dict[str, Any] = {}
    forms: list[dict[str, Any]] = []
    for index, tool in enumerate(offer.tools):
        arguments = _place(tool.parameters, f"tool_{index}", definitions)
        forms.append(_form({"tool": {"type": "string", "const": tool.name}, "arguments": arguments}))
    if offer.may_answer:
        value = {"type": "string"} if answer is None else _place(answer, "answer", definitions)
        forms.append(_form({"answer": value}))
    schema = forms[0] if len(forms) == 1 else {"oneOf": forms}
    return {**schema, "$defs": definitions} if definitions else schema


def render(request: ChatRequest, offer: Offer) -> tuple[ChatMessage, ...]:
    """Return the request's messages as a model without tools understands them, the instruction about the tools included.

    Calls are what the assistant wrote, their results what the user wrote; neighbours of one role become one message, for
    many templates want the roles in turn.
    """
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    rendered: list[ChatMessage] = []
    after_tool = False
    for message in request.messages:
        plain = _render_message(message, names, in_form=bool(offer.tools))
        if rendered and plain.role == rendered[-1].role == "user" and (message.role == "tool" or after_tool):
            before = rendered.pop()
            plain = replace(plain, content=f"{before.content}\n\n{plain.content}", images=before.images + plain.images)
        rendered.append(plain)
        after_tool = message.role == "tool"
    if not offer.tools:
        return tuple(rendered)
    return instruct(rendered, _describe(offer, request.json_schema))


def _render_message(message: ChatMessage, names: Mapping[str, str], *, in_form: bool) -> ChatMessage:
    if message.role == "tool":
        name = names.get(message.tool_call_id or "", "called")
        content = read_prompt("tools_result", tool=name, content=message.content)
        return ChatMessage("user", content, images=message.images)
    if message.role != "assistant" or not (message.tool_calls or in_form):
        return message
    parts = [_write_call(call) for call in message.tool_calls]
    if message.content and message.tool_calls:
        parts.insert(0, message.content)
    elif message.content:
        parts.append(json.dumps({"answer": message.content}, ensure_ascii=False))
    return replace(message, content="\n".join(parts), tool_calls=())


def _write_call(call: ToolCall) -> str:
    try:
        arguments = load_json(call.arguments or "{}")
    except ValueError:
        arguments = call.arguments
    return json.dumps({"tool": call.name, "arguments": arguments}, ensure_ascii=False)


def _describe(offer: Offer, answer: Mapping[str, Any] | None) -> str:
    tools = "\n\n".join(_describe_tool(tool) for tool in offer.tools)
    if not offer.may_answer:
        return read_prompt("tools_required", tools=tools)
    if answer is None:
        return read_prompt("tools", tools=tools, answer=read_prompt("tools_answer"))
    schema = json.dumps(dict(answer), ensure_ascii=False)
    return read_prompt("tools", tools=tools, answer=read_prompt("tools_answer_schema", schema=schema))


def _describe_tool(tool: Tool) -> str:
    """Return what a model reads of a tool: a line for each argument, which is half as long as its schema and says as much.

    A schema with parts within parts is shown as it is.
    """
    arguments = tool.parameters.get("properties", {})
    wanted = tool.parameters.get("required", ())
    lines = [_describe_argument(name, one, is_required=name in wanted) for name, one in arguments.items()]
    if None in lines:
        return f"{tool.name}: {tool.description}\nArguments: {json.dumps(dict(tool.parameters), ensure_ascii=False)}"
    return "\n".join([f"{tool.name}: {tool.description}", *(line for line in lines if line)])


def _describe_argument(name: str, schema: Any, *, is_required: bool) -> str | None:
    """Return a line about an argument, None for one that is not said in a line."""
    kind = _kind(schema)
    if kind is None:
        return None
    told = kind if is_required else f"{kind}, optional"
    default = schema.get("default")
    if default is not None:
        told += f", {json.dumps(default, ensure_ascii=False)} if left out"
    said = schema.get("description", "")
    return f"- {name} ({told}): {said}" if said else f"- {name} ({told})"


def _kind(schema: Any) -> str | None:
    """Return the words for a type, None for one that has more to it."""
    if not isinstance(schema, Mapping) or {"$ref", "oneOf", "allOf", "properties"} & schema.keys():
        return None
    if isinstance(schema.get("enum"), list):
        return " or ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one != {"type": "null"}]
        return None if None in kinds or len(kinds) != 1 else kinds[0]
    kind = schema.get("type")
    if kind == "array":
        inner = _kind(schema.get("items", {}))
        return None if inner is None else f"list of {inner}"
    return kind if kind in {"string", "integer", "number", "boolean"} else None


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _place(schema: Mapping[str, Any], name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return ``schema`` as a part of another one; one that refers to itself becomes a definition, and its references follow."""
    own = {key: value for key, value in schema.items() if key not in {"$schema", "$id"}}
    if "$ref" not in json.dumps(own):
        return own
    definitions[name] = _redirect(own, f"#/$defs/{name}")
    return {"$ref": f"#/$defs/{name}"}


def _redirect(part: Any, root: str) -> Any:
    if isinstance(part, Mapping):
        return {
            key: root + value[1:]
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else _redirect(value, root)
            for key, value in part.items()
        }
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [_redirect(one, root) for one in part]
    return part
