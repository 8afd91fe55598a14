"""A workspace and a context for the tools of agents, with an approver that answers from a list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman.agents.tools.approval import Decision, Question
from dragoman.agents.tools.base import Output, Tool, ToolContext, ToolResult
from dragoman.agents.tools.documents import DiskEditor, Document, TextEdit, apply_edits, version_of
from dragoman.agents.tools.files import FILE_TOOLS
from dragoman.agents.tools.git import GIT_TOOLS
from dragoman.agents.tools.policy import Policy
from dragoman.agents.tools.registry import ToolRegistry
from dragoman.agents.tools.search import SEARCH_TOOLS
from dragoman.agents.tools.shell import SHELL_TOOLS

FREE = Policy(defaults={"read": "allow", "write": "allow", "run": "allow", "network": "deny"}, trusted=True)


@dataclass
class Answers:
    """Answers questions in order; the last answer counts for all that follow."""

    decisions: list[Decision] = field(default_factory=lambda: [Decision("allow")])
    questions: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> Decision:
        self.questions.append(question)
        return self.decisions.pop(0) if len(self.decisions) > 1 else self.decisions[0]


class BufferEditor(DiskEditor):
    """An editor with open documents that are not saved."""

    def __init__(self) -> None:
        self.buffers: dict[Path, str] = {}

    async def read(self, path: Path) -> Document:
        if path in self.buffers:
            return Document(path, self.buffers[path], version_of(self.buffers[path]))
        return await super().read(path)

    async def apply(self, document: Document, edits: Sequence[TextEdit]) -> Document:
        if document.path not in self.buffers:
            return await super().apply(document, edits)
        self.buffers[document.path] = apply_edits(self.buffers[document.path], edits)
        return await self.read(document.path)

    async def unsaved(self) -> Mapping[Path, str]:
        return self.buffers


class ToolBench:
    """Calls tools as a run does: by name, with JSON."""

    def __init__(
        self, root: Path, *, policy: Policy = FREE, more: Sequence[Tool[Any]] = (), remote: bool = True
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        self.answers = Answers()
        self.editor = BufferEditor()
        self.outputs: list[Output] = []
        tools = [tool() for tool in (*FILE_TOOLS, *SEARCH_TOOLS, *SHELL_TOOLS, *GIT_TOOLS)]
        self.registry = ToolRegistry([*tools, *more])
        self.context = ToolContext(
            roots=(self.root,),
            editor=self.editor,
            policy=policy,
            run_id="run",
            agent="fixer",
            approver=self.answers,
            remote=remote,
            emit=self.outputs.append,
        )

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    async def result(self, name: str, /, **arguments: Any) -> ToolResult:
        return await self.registry.call(name, json.dumps(arguments), self.context, call_id="call")

    async def call(self, name: str, /, **arguments: Any) -> str:
        return (await self.result(name, **arguments)).text
