"""``dragoman chat``: a conversation in the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dragoman.cli.agent_desk import Allowed, Folder, ModelName, Yes, classes_of, folder_of, open_desk, say_faulty
from dragoman.cli.output import ConfigFile, EventsAsJson, note, say_error
from dragoman.errors import DragomanError

if TYPE_CHECKING:
    from dragoman.cli.agent_desk import Desk
    from dragoman.cli.following import RunPrinter
    from dragoman.keeping import Keeping
    from dragoman.models.base import ChatMessage

AGENT = "assistant"


def run_chat(
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="NAME", help=f"Who answers; `{AGENT}` if you name nobody.")
    ] = None,
    go_on: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on with the conversation last written to.")
    ] = False,
    model: ModelName = None,
    workspace: Folder = None,
    allow: Allowed = None,
    yes: Yes = False,
    config: ConfigFile = None,
    as_json: EventsAsJson = False,
) -> None:
    """Talk with an agent: @path, @symbol:NAME and @diff attach things, /new begins anew, /quit ends the conversation."""
    folder, allowed = folder_of(workspace), classes_of(allow, yes=yes)
    if not asyncio.run(_chat(agent, go_on, model, folder, allowed, config, as_json=as_json)):
        raise typer.Exit(1)


async def _chat(
    agent: str | None,
    go_on: bool,
    model: str | None,
    folder: Path,
    allowed: frozenset[str],
    config: Path | None,
    *,
    as_json: bool,
) -> bool:
    """Talk until the input ends; returns whether every question had its answer."""
    from dragoman.cli.following import RunPrinter

    well = True
    async with open_desk(config, folder, allowed) as desk:
        talk = Talk(desk, RunPrinter(as_json=as_json), model)
        await talk.begin(agent, go_on=go_on)
        if desk.is_watched:
            say_faulty(desk)
            note(f"{talk.agent} in {folder}; @path attaches a file, /new begins anew, /quit ends.")
        while (line := await _ask(desk)) is not None:
            said = line.strip()
            if said == "/quit":
                break
            if said == "/new":
                talk.renew()
            elif said.startswith("/") and " " not in said and "/" not in said[1:]:
                note("There are /new and /quit; @path attaches a file.")
            elif said:
                try:
                    well &= await talk.say(line)
                except DragomanError as error:
                    say_error(error)
                    well = False
    # At a terminal its user has seen what went wrong.
    return well or desk.is_watched


async def _ask(desk: Desk) -> str | None:
    if desk.is_watched:
        sys.stderr.write("\n> ")
        sys.stderr.flush()
    return await desk.lines.read()


class Talk:
    """One conversation after another with one agent; without a database it still works, and is forgotten."""

    def __init__(self, desk: Desk, printer: RunPrinter, model: str | None) -> None:
        self.agent = AGENT
        self._desk = desk
        self._printer = printer
        self._model = model
        self._conversation = ""
        self._keeping: Keeping | None = None
        self._unkept: list[ChatMessage] = []

    async def begin(self, agent: str | None, *, go_on: bool) -> None:
        """Open what keeps conversations; raises UnknownAgentError."""
        self.renew()
        try:
            self._keeping = await self._desk.app.keep()
        except DragomanError as error:
            note(f"dragoman: this conversation is not kept: {error.message}")
        if go_on and self._keeping is not None:
            found = await self._keeping.conversations.list(limit=1)
            if found:
                self._conversation, agent = found[0].id, agent or found[0].agent
                note(f"Going on with {found[0].title or found[0].id!r}.")
            else:
                note("There is no conversation to go on with; this is a new one.")
        self.agent = agent or AGENT
        await asyncio.to_thread(self._definition)

    def renew(self) -> None:
        """Begin another conversation."""
        self._conversation = f"conv_{secrets.token_hex(8)}"
        self._unkept = []

    def _definition(self) -> Any:
        return self._desk.agents.get(self.agent, self._desk.place.roots, self._desk.place.trusted)

    async def say(self, text: str) -> bool:
        """Say something, print the answer and keep both; False when there was none.  Raises DragomanError."""
        from dragoman.assistance.attachments import holds_private, kept_answer, withhold_private
        from dragoman.assistance.budget import ChatBudget
        from dragoman.models.base import ChatMessage

        desk, definition = self._desk, await asyncio.to_thread(self._definition)
        budget = await ChatBudget.of(desk.app, definition, self._model)
        question = ChatMessage("user", await self._attach(text, definition, budget.attachment_chars))
        if self._keeping is None:
            history = await budget.said_before(self._unkept, question.content)
        else:
            history = await budget.stored_before(self._keeping.context, self._conversation, question.content)
        roots, may_send, private = desk.place.roots, partial(self._refuse_private, remote=True), False
        if await desk.agents.may_leave(definition, model=self._model):
            # The model that answered before may have been on this machine.
            history = withhold_private(history, roots, may_send)
        else:
            private = holds_private((*history, question), roots, may_send)
        run = await desk.agents.start(
            self.agent,
            question.content,
            desk.place,
            history=history,
            model=self._model,
            operation="chat",
            private=private,
        )
        following = asyncio.ensure_future(self._printer.follow(run))
        try:
            with _interrupting(following) if desk.is_watched else contextlib.nullcontext():
                well = await following
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) is None or current.cancelling():
                raise
            note("[stopped]")
            return False
        if well:
            await self._keep(question, ChatMessage("assistant", kept_answer(run.output, private=run.state.private)))
        return well

    async def _attach(self, text: str, definition: Any, chars: int) -> str:
        """Return the text with the files that it names behind it."""
        from dragoman.assistance.mentions import Attaching, attach

        place = self._desk.place
        check = partial(self._refuse_private, remote=await self._desk.agents.may_leave(definition, model=self._model))

        async def diff() -> str:
            return await self._desk.agents.read_changes(self.agent, place, model=self._model) or "[no changes]"

        return await attach(text, Attaching(place.roots, place.editor, check, {"diff": diff}, chars, place.index))

    def _refuse_private(self, path: Path, *, remote: bool) -> None:
        """Raise for a file that must not leave this machine."""
        from dragoman.agents.tools.places import find_place, refuse_secret

        refuse_secret(find_place(self._desk.place.roots, str(path)), remote=remote)

    async def _keep(self, *said: ChatMessage) -> None:
        if self._keeping is None:
            self._unkept += said
            return
        try:
            await self._keeping.conversations.create(self._conversation, agent=self.agent)
            for message in said:
                await self._keeping.context.save_message(self._conversation, message)
        except DragomanError as error:
            note(f"dragoman: what was said is not kept: {error.message}")


@contextlib.contextmanager
def _interrupting(answer: asyncio.Future[Any]) -> Iterator[None]:
    """Let Ctrl+C end an answer and not the conversation."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)
    try:
        loop.add_signal_handler(signal.SIGINT, answer.cancel)
    except NotImplementedError:
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
