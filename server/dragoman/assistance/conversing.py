"""Conversations with an editor's user: in a view of its own, or in a document."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dragoman.agents.manager import AgentManager
from dragoman.agents.run import Run
from dragoman.assistance.answers import DocumentWriter
from dragoman.assistance.budget import ChatBudget
from dragoman.assistance.buffers import BufferEditor
from dragoman.assistance.chat_document import ANSWER, YOU, read_conversation
from dragoman.assistance.following import Following
from dragoman.assistance.ground import Ground, Surroundings
from dragoman.assistance.mentions import Attaching, attach, section
from dragoman.assistance.talks import Talks
from dragoman.assistance.tasks import selected_lines
from dragoman.assistance.texts import path_of
from dragoman.errors import RunError
from dragoman.lsp.services import ClientPort, Span
from dragoman.models.base import ChatMessage


@dataclass(slots=True)
class Talk:
    """A turn of a conversation that is being answered, or whose answer is being kept."""

    run: Run
    kept: asyncio.Event = field(default_factory=asyncio.Event)


class Conversations(Ground):
    """Answers what is said in the conversations of one editor."""

    def __init__(self, client: ClientPort, around: Surroundings) -> None:
        super().__init__(client, around)
        self._talks = Talks(around.app)
        self._talking: dict[str, Talk] = {}

    async def chat(
        self,
        text: str,
        *,
        conversation: str | None,
        agent: str | None,
        uri: str | None,
        span: Span | None,
        model: str | None = None,
    ) -> dict[str, Any]:
        """Say something in a conversation."""
        manager = await self._agents()
        name = agent or "assistant"
        if conversation is not None:
            await self._answered(conversation)
        budget = await self._budget(manager, name, model)
        task = await self._attached(manager, name, text, uri, span, chars=budget.attachment_chars, model=model)
        if conversation is None:
            history = await budget.said_before((), task)
        else:
            history = await self._talks.before(conversation, task, budget)
        place = self._workplace()
        run = await manager.start(name, task, place, history=history, tools=bool(place.roots), model=model)
        kept = conversation or f"conv_{secrets.token_hex(8)}"
        talk = self._talking[kept] = Talk(run)
        await self._talks.keep(kept, ChatMessage("user", task))
        writer = await self._writer("Chat", f"{YOU}\n\n{text}\n\n{ANSWER}\n\n")
        behind = partial(self._keep, kept, talk)
        self._followers.follow(
            Following(run, "Chat", shows_progress=not self._client.shows_runs, writer=writer, behind=behind)
        )
        return {"runId": run.id, "conversationId": kept}

    async def _answered(self, conversation: str) -> None:
        """Return when what was said last in a conversation is kept; raises RunError while it is still being answered."""
        talk = self._talking.get(conversation)
        if talk is None:
            return
        if not talk.run.has_ended:
            raise RunError("This conversation is still being answered.", hint="Wait for the answer, or stop it.")
        await talk.kept.wait()

    async def _keep(self, conversation: str, talk: Talk, run: Run) -> None:
        """Keep what was answered, if anything was."""
        try:
            if run.output:
                await self._talks.keep(conversation, ChatMessage("assistant", run.output))
        finally:
            talk.kept.set()
            if self._talking.get(conversation) is talk:
                del self._talking[conversation]

    async def ask_document(self, uri: str) -> dict[str, Any]:
        """Answer the last question of a chat document, below it."""
        shown = self._open(uri)
        said = read_conversation(shown.text)
        if not said or said[-1].role != "user":
            raise RunError("There is no question at the end of this document.", hint=f"Write it below '{YOU}'.")
        manager = await self._agents()
        budget = await self._budget(manager, "assistant")
        task = await self._attached(manager, "assistant", said[-1].content, None, None, chars=budget.attachment_chars)
        history = await budget.said_before(said[:-1], task)
        place = self._workplace()
        run = await manager.start("assistant", task, place, history=history, tools=bool(place.roots))
        writer = DocumentWriter(uri, self._texts, self._client)
        writer.write(f"\n{ANSWER}\n\n")

        async def invite(_run: Run) -> None:
            more = DocumentWriter(uri, self._texts, self._client)
            more.write(f"\n{YOU}\n\n")
            more.end()
            await more.work()

        self._followers.follow(Following(run, "Answer", writer=writer, behind=invite))
        return {"runId": run.id}

    async def _budget(self, manager: AgentManager, agent: str, model: str | None = None) -> ChatBudget:
        definition = await asyncio.to_thread(manager.get, agent, self._around.folders(), self._around.trusted())
        return await ChatBudget.of(self._around.app(), definition, model)

    async def _attached(
        self,
        manager: AgentManager,
        agent: str,
        text: str,
        uri: str | None,
        span: Span | None,
        *,
        chars: int,
        model: str | None = None,
    ) -> str:
        """Return a question with what it names, and with the lines that are selected."""
        roots = tuple(self._around.folders())
        is_remote = await self._may_leave(agent, model)

        def may_send(path: Path) -> None:
            if is_remote:
                self._refuse_private(path, path.as_uri())

        async def diff() -> str:
            return await manager.read_changes(agent, self._workplace(), model=model) or "[no changes]"

        async def diagnostics() -> str:
            return self._around.diagnostics(None) or "[nothing is reported]"

        special = {"diff": diff, "diagnostics": diagnostics}
        index = self._around.index(roots[0]) if roots else None
        task = await attach(text, Attaching(roots, BufferEditor(self._texts), may_send, special, chars, index))
        shown = self._texts.get(uri) if uri is not None else None
        if shown is None or span is None or span.start == span.end:
            return task
        if is_remote:
            self._refuse_private(path_of(shown.uri), shown.uri)
        start, end = selected_lines(span, shown.text)
        lines = f"lines {span.start[0] + 1} to {span.end[0] + 1}"
        return f"{task}\n\n{section(f'{self._name(shown.uri)}, {lines}', shown.text[start:end], chars)}"

    async def conversations(self, conversation: str | None) -> dict[str, Any]:
        """Return the newest conversations, or one with its messages."""
        return await (self._talks.list() if conversation is None else self._talks.show(conversation))
