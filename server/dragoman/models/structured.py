"""Answers that are data: asked for by a JSON schema, checked against it, and asked for once more when they are wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dragoman.errors import ContextOverflowError, RequestRejectedError, StructuredOutputError
from dragoman.models.assembly import Answer
from dragoman.models.base import ChatMessage, ChatRequest, Model
from dragoman.models.json_text import find_json
from dragoman.models.prompts import instruct, read_prompt
from dragoman.models.schemas import Problem, Schema
from dragoman.models.whole import answer_whole


async def ask_structured(model: Model, request: ChatRequest, schema: Mapping[str, Any]) -> Any:
    """Return the model's answer as a value that is valid against ``schema``; ``request``'s own schema and tools count for nothing.

    The schema constrains the answer where the model can be constrained, and is told to it otherwise.
    A wrong answer is told what is wrong with it, once; after that StructuredOutputError is raised.
    Raises `ModelError`, and RequestRejectedError for what is no JSON schema. A cancel closes the model's stream.
    """
    checker = await asyncio.to_thread(Schema, schema)
    told = replace(request, json_schema=None, tools=(), tool_choice="auto")
    instruction = read_prompt("json_schema", schema=json.dumps(dict(schema), ensure_ascii=False))
    told = replace(told, messages=instruct(told.messages, instruction))
    if "json_schema" in model.info.capabilities:
        question = replace(request, json_schema=schema, tools=(), tool_choice="auto")
        try:
            answer = await answer_whole(model, question)
        except ContextOverflowError:
            raise
        except RequestRejectedError:
            # It was taken to have schemas and has none, or not this one.
            question = told
            answer = await answer_whole(model, question)
    else:
        question = told
        answer = await answer_whole(model, question)
    value, problem = _read(answer, checker)
    if problem is None:
        return value
    try:
        answer = await answer_whole(model, replace(question, messages=question.messages + _object(answer, problem)))
    except ContextOverflowError as error:
        raise _failure(model, problem) from error
    value, problem = _read(answer, checker)
    if problem is not None:
        raise _failure(model, problem)
    return value


def _read(answer: Answer, checker: Schema) -> tuple[Any, Problem | None]:
    try:
        value = find_json(answer.text, checker.brackets)
    except ValueError as error:
        if answer.finish == "length":
            return None, Problem("$", "the answer was cut off, because it was too long")
        return None, Problem("$", str(error))
    return value, checker.check(value)


def _object(answer: Answer, problem: Problem) -> tuple[ChatMessage, ...]:
    """Return the messages that tell a model what is wrong with its answer."""
    said = (ChatMessage("assistant", answer.text),) if answer.text.strip() else ()
    return (*said, ChatMessage("user", read_prompt("json_repair", path=problem.path, reason=problem.reason)))


def _failure(model: Model, problem: Problem) -> StructuredOutputError:
    return StructuredOutputError(
        f"The model {model.info.name!r} did not answer with the JSON that it was asked for, also when told what was wrong: "
        f"at {problem.path}, {problem.reason}.",
        path=problem.path,
        reason=problem.reason,
        hint="A simpler schema, more tokens for the answer or a larger model may help.",
    )
