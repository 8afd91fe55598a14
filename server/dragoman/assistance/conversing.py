"""Conversations with an editor's user: in a view of its own, or in a document."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from dragoman.agents.manager import AgentManager
from dragoman.agents.run import Run
from dragoman.agents.tools.diagnostics import lines_on
from dragoman.assistance.answers import DocumentWriter
from dragoman.assistance.attachments import holds_private, is_noted, kept_answer, withhold_private
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
    """A turn of a conversation that is being answered, or whose answer is being kept; without a run as long as it is prepared."""

    run: Run | None = None
    kept: asyncio.Event = field(default_factory=asyncio.Event)


class Conversations(Ground):
    """Answers what is said in the conversations of one editor."""

    def __init__(self, client: ClientPort, around: Surroundings) -> None:
        super().__init__(client, around)
        self._talks = Talks(around.app)
        self._talking: dict[str, Talk] = {}
        """The turns that go on, by the conversation or the URI of the document in which it is held."""

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
        kept = conversation or f"conv_{secrets.token_hex(8)}"
        async with self._turn(kept) as talk:
            manager = await self._agents()
            name = agent or "assistant"
            budget = await self._budget(manager, name, model)
            task = await self._attached(manager, name, text, uri, span, chars=budget.attachment_chars, model=model)
            if conversation is None:
                history = await budget.said_before((), task)
            else:
                history = await self._talks.before(conversation, task, budget)
            run = talk.run = await self._start(manager, name, task, history, model)
            await self._talks.keep(kept, ChatMessage("user", task))
            writer = await self._writer("Chat", f"{YOU}\n\n{text}\n\n{ANSWER}\n\n")
            behind = partial(self._keep, kept, talk)
            self._followers.follow(
                Following(run, "Chat", shows_progress=not self._client.shows_runs, writer=writer, behind=behind)
            )
        return {"runId": run.id, "conversationId": kept}

    async def _start(
        self, manager: AgentManager, agent: str, task: str, history: tuple[ChatMessage, ...], model: str | None
    ) -> Run:
        """Have an agent answer; the model that answered before may have been another one, on this machine or elsewhere."""
        place = self._workplace()
        if await self._may_leave(agent, model):
            if is_noted(task):
                raise RunError(
                    "The question holds an answer that stays on this machine, and its model is on another one.",
                    hint=f"Take that answer out, or write '{ANSWER}' above it.",
                )
            history, private = withhold_private(history, place.roots, self._may_send), False
        else:
            private = holds_private((*history, ChatMessage("user", task)), place.roots, self._may_send)
        return await manager.start(
            agent, task, place, history=history, tools=bool(place.roots), model=model, private=private
        )

    @asynccontextmanager
    async def _turn(self, where: str) -> AsyncIterator[Talk]:
        """Take the next turn of a conversation, which ends in `_end_turn`; what fails within ends it and its run.

        Waits until what was said last is kept.  Raises RunError while it is still being answered.
        """
        while (before := self._talking.get(where)) is not None:
            if before.run is None or not before.run.has_ended:
                raise RunError("This conversation is still being answered.", hint="Wait for the answer, or stop it.")
            await before.kept.wait()
        talk = self._talking[where] = Talk()
        try:
            yield talk
        except BaseException:
            try:
                if talk.run is not None:
                    await talk.run.cancel()
            finally:
                self._end_turn(where, talk)
            raise

    def _end_turn(self, where: str, talk: Talk) -> None:
        del self._talking[where]
        talk.kept.set()

    async def _keep(self, conversation: str, talk: Talk, run: Run) -> None:
        """Keep what was answered, if anything was."""
        try:
            if run.output:
                await self._talks.keep(
                    conversation, ChatMessage("assistant", kept_answer(run.output, private=run.state.private))
                )
        finally:
            self._end_turn(conversation, talk)

    async def ask_document(self, uri: str) -> dict[str, Any]:
        """Answer the last question of a chat document, below it."""
        async with self._turn(uri) as talk:
            await self._check(uri, "assistant")
            said = read_conversation(self._open(uri).text)
            if not said or said[-1].role != "user":
                raise RunError("There is no question at the end of this document.", hint=f"Write it below '{YOU}'.")
            manager = await self._agents()
            budget = await self._budget(manager, "assistant")
            question = said[-1].content
            task = await self._attached(manager, "assistant", question, None, None, chars=budget.attachment_chars)
            history = await budget.said_before(said[:-1], task)
            run = talk.run = await self._start(manager, "assistant", task, history, None)
            writer = DocumentWriter(uri, self._texts, self._client)
            writer.write(f"\n{ANSWER}\n\n")
            behind = partial(self._invite, uri, talk)
            self._followers.follow(Following(run, "Answer", writer=writer, behind=behind))
        return {"runId": run.id}

    async def _invite(self, uri: str, talk: Talk, _run: Run) -> None:
        """Write where the next question has its place."""
        try:
            more = DocumentWriter(uri, self._texts, self._client)
            more.write(f"\n{YOU}\n\n")
            more.end()
            await more.work()
        finally:
            self._end_turn(uri, talk)

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
                self._may_send(path)

        async def diff() -> str:
            return await manager.read_changes(agent, self._workplace(), model=model) or "[no changes]"

        async def diagnostics() -> str:
            reported = self._around.diagnostics(None)
            if is_remote:
                reported = "\n".join(lines_on(reported, lambda name: not self._is_private_name(name)))
            return reported or "[nothing is reported]"

        special = {"diff": diff, "diagnostics": diagnostics}
        index = self._around.index(roots[0]) if roots else None
        task = await attach(text, Attaching(roots, BufferEditor(self._texts), may_send, special, chars, index))
        shown = self._texts.get(uri) if uri is not None else None
        if shown is None or span is None or span.start == span.end:
            return task
        path, name = path_of(shown.uri), self._name(shown.uri)
        if is_remote:
            self._refuse_private(path, shown.uri)
        elif path is not None and self._is_private(path):
            # By its name alone nobody could tell later that it is private.
            name = path.as_posix()
        start, end = selected_lines(span, shown.text)
        lines = f"lines {span.start[0] + 1} to {span.end[0] + 1}"
        return f"{task}\n\n{section(f'{name}, {lines}', shown.text[start:end], chars)}"

    async def conversations(self, conversation: str | None) -> dict[str, Any]:
        """Return the newest conversations, or one with its messages, the answer that has just ended among them."""
        if conversation is None:
            return await self._talks.list()
        talk = self._talking.get(conversation)
        if talk is not None and talk.run is not None and talk.run.has_ended:
            await talk.kept.wait()
        return await self._talks.show(conversation)
