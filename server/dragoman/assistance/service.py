"""What an editor may ask of agents; implements `dragoman.lsp.services.AssistanceService`."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dragoman.agents.edits.session import EditSession
from dragoman.agents.manager import AgentManager, Workplace
from dragoman.agents.prompts import read_prompt
from dragoman.agents.review_limits import REVIEW_WINDOW
from dragoman.agents.reviews.dismissals import Dismissals
from dragoman.agents.reviews.request import SCHEMA, plan_tasks, review_answer_tokens
from dragoman.agents.reviews.targets import find_changed_lines
from dragoman.agents.run import Run
from dragoman.agents.runtime_limits import CONTEXT_TOKENS
from dragoman.agents.tools.policy import Remember
from dragoman.agents.tools.project import Index
from dragoman.assistance.answers import AnswerWriter, DocumentWriter, FileWriter, make_document
from dragoman.assistance.budget import ChatBudget
from dragoman.assistance.buffers import BufferEditor
from dragoman.assistance.chat_document import ANSWER, YOU, read_conversation
from dragoman.assistance.edits import OpenEdit
from dragoman.assistance.following import Followers, Following
from dragoman.assistance.mentions import Attaching, attach, section
from dragoman.assistance.permission import EditorApprover
from dragoman.assistance.reviews import DocumentReviews
from dragoman.assistance.talks import Talks
from dragoman.assistance.tasks import ACTIONS, selected_lines, word_task
from dragoman.assistance.texts import OpenText, Texts, path_of
from dragoman.cancellation import TaskSet
from dragoman.context.limits import SMALL_VOCABULARY
from dragoman.errors import DragomanError, RunError
from dragoman.lsp.services import ClientPort, ShownFinding, Span
from dragoman.models.base import ChatMessage
from dragoman.security.paths import is_secret_path, resolved

if TYPE_CHECKING:
    from dragoman.app import App

logger = logging.getLogger(__name__)

Folders = Callable[[], list[Path]]

TITLE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the assistance asks of the editor's other services, each time anew, for settings and folders change."""

    app: Callable[[], App]
    folders: Folders
    trusted: Callable[[], bool]
    is_ignored: Callable[[str], bool]
    diagnostics: Callable[[str | None], str] = lambda _uri: ""
    """What other servers report in the open documents or in one of them, in lines."""
    index: Callable[[Path], Index | None] = lambda _folder: None
    """What tells of the project in a folder."""
    language: Callable[[str], str] = lambda _uri: ""


@dataclass(slots=True)
class Talk:
    """A turn of a conversation that is being answered, or whose answer is being kept."""

    run: Run
    kept: asyncio.Event = field(default_factory=asyncio.Event)


class Assistance:
    """Chat, edits, reviews and runs of one editor."""

    def __init__(self, client: ClientPort, around: Surroundings) -> None:
        self._client = client
        self._around = around
        self._tasks = TaskSet()
        self._texts = Texts(client)
        self._approver = EditorApprover(client, self._tasks)
        self._followers = Followers(client, self._tasks)
        self._reviews = DocumentReviews(self._texts, client, self._dismissals, self._name)
        self._kept_dismissals: dict[Path, Dismissals] = {}
        self._reviewing: dict[str, Run] = {}
        self._talks = Talks(around.app)
        self._talking: dict[str, Talk] = {}

    async def aclose(self) -> None:
        """End every run and whatever hangs on it."""
        await self._tasks.aclose()

    # -- documents -----------------------------------------------------------------------------------------------------

    def document_changed(self, uri: str, view: Any, version: int) -> None:
        """Follow an open document."""
        self._texts.changed(uri, view, version)
        for edit in self._followers.edits(uri):
            edit.document_changed()
        self._reviews.document_changed(uri)

    def document_closed(self, uri: str) -> None:
        """End what runs for a document."""
        self._texts.closed(uri)
        self._reviews.closed(uri)
        if not self._tasks.closed:
            self._tasks.start(self._followers.document_closed(uri), name="end edits")
            self._tasks.start(self._end_review(uri), name="end review")

    def document_saved(self, uri: str) -> None:
        """Review a document that was saved."""
        if self._texts.get(uri) is not None:
            self._tasks.start(self._review_quietly(uri), name="review on save")

    async def _review_quietly(self, uri: str) -> None:
        try:
            await self._review(self._open(uri), shows_progress=False)
        except DragomanError as error:
            logger.info("%s was not reviewed: %s", self._name(uri), error)

    def _open(self, uri: str) -> OpenText:
        shown = self._texts.get(uri)
        if shown is None:
            raise RunError(f"{self._name(uri)!r} is not open.", hint="Open it first.")
        return shown

    def _name(self, uri: str) -> str:
        """Return how a document is called: its path within the workspace, else its name."""
        path = path_of(uri)
        if path is None:
            return uri.rpartition("/")[2] or uri
        for folder in self._around.folders():
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name

    def _dismissals(self, uri: str) -> Dismissals:
        path = path_of(uri)
        folders = self._around.folders()
        root = next((one for one in folders if path is not None and path.is_relative_to(one)), None) or Path.home()
        if root not in self._kept_dismissals:
            self._kept_dismissals[root] = Dismissals.of_workspace(root)
        return self._kept_dismissals[root]

    def _refuse_private(self, path: Path | None, uri: str) -> None:
        """Raise for a document that must not leave this machine."""
        name = Path(uri) if path is None else path
        target = resolved(path) if path is not None else name
        if is_secret_path(name) or is_secret_path(target):
            raise RunError(f"{name.name!r} looks like a file of keys: it is never sent to another machine.")
        if self._around.is_ignored(uri) or (target != name and self._around.is_ignored(target.as_uri())):
            raise RunError(f"{name.name!r} is ignored in this project: it is never sent to another machine.")

    async def _check(self, uri: str, agent: str) -> None:
        """Raise for a document that must not leave this machine where the agent's model may be on another one."""
        if await self._may_leave(agent):
            self._refuse_private(path_of(uri), uri)

    async def _may_leave(self, agent: str, model: str | None = None) -> bool:
        manager = await self._agents()
        definition = await asyncio.to_thread(manager.get, agent, self._around.folders(), self._around.trusted())
        return await manager.may_leave(definition, model=model)

    # -- actions -------------------------------------------------------------------------------------------------------

    async def act(self, action: str, uri: str, span: Span | None, instruction: str = "") -> dict[str, Any]:
        """Start an action on a document."""
        shown = self._open(uri)
        if action in {"review", "reviewChanges"}:
            return {"runId": (await self._review(shown, span, of_changes=action == "reviewChanges")).id}
        kind = ACTIONS[action]
        manager = await self._agents()
        await self._check(uri, kind.agent)
        text, name = shown.text, self._name(uri)
        if action == "fix" and not instruction.strip():
            instruction = self._around.diagnostics(uri)
        task = word_task(kind, instruction, path=name, language=self._around.language(uri), text=text, span=span)
        title = f"{kind.title} {name}"
        edit = None
        if kind.edits:
            chosen = selected_lines(span, text) if span is not None else None
            session = EditSession(text, range=chosen, path=name, beyond=kind.beyond)
            edit = OpenEdit(uri, session, self._texts, preview=self._client.shows_runs, label=f"Dragoman: {title}")
        place = self._workplace()
        run = await manager.start(kind.agent, task, place, reader=edit, tools=kind.tools and bool(place.roots))
        writer = None if edit is not None else await self._writer(title)
        self._followers.follow(Following(run, title, writer=writer, edit=edit))
        return {"runId": run.id}

    async def _review(
        self, shown: OpenText, span: Span | None = None, *, of_changes: bool = False, shows_progress: bool = True
    ) -> Run:
        """Review a document, or only the selected lines, or only those that differ from the last commit."""
        manager = await self._agents()
        await self._check(shown.uri, "reviewer")
        await self._end_review(shown.uri)
        name = self._name(shown.uri)
        reader, text = await self._reviews.begin(shown.uri)
        changed: Sequence[range] | None = None
        if span is not None and span.start != span.end:
            changed = [range(span.start[0] + 1, span.end[0] + 1 + (span.end[1] > 0))]
        elif of_changes:
            changed = await self._changed_lines(shown.uri, text)
        most, answer = await self._review_room(manager)
        planned = await asyncio.to_thread(plan_tasks, name, text, most, changed)
        if not planned:
            raise RunError(f"There is nothing to review in {name!r}.", hint="It is empty, or nothing in it is changed.")
        (_, task), *more = planned
        reader.parts, reader.is_whole = len(planned), changed is None
        run = await manager.start(
            "reviewer",
            task,
            self._workplace(),
            reader=reader,
            tools=False,
            schema=SCHEMA,
            parts=tuple(words for _, words in more),
            answer_tokens=answer,
        )
        self._reviewing[shown.uri] = run
        self._followers.follow(Following(run, f"Review {name}", shows_progress=shows_progress))
        return run

    async def _review_room(self, manager: AgentManager) -> tuple[int, int]:
        """Return the tokens of a review's question and of its answer, whichever of the models answers."""
        definition = await asyncio.to_thread(manager.get, "reviewer", self._around.folders(), self._around.trusted())
        window = await manager.window(definition)
        answer = review_answer_tokens(window)
        # Another vocabulary may count more tokens than ours.
        most = int(((window or REVIEW_WINDOW) - answer) / SMALL_VOCABULARY)
        return min(most, CONTEXT_TOKENS), answer

    async def _changed_lines(self, uri: str, text: str) -> Sequence[range] | None:
        path, folders = path_of(uri), self._around.folders()
        root = next((one for one in folders if path is not None and path.is_relative_to(one)), None)
        if root is None or path is None:
            raise RunError(f"{self._name(uri)!r} is in no folder that is open here.", hint="Open its project's folder.")
        return await asyncio.to_thread(find_changed_lines, root, path, text, trusted=self._around.trusted())

    async def _end_review(self, uri: str) -> None:
        """End the review of a document that is still going on: what it finds is of an older text."""
        run = self._reviewing.pop(uri, None)
        if run is not None:
            await run.cancel()

    async def run_agent(self, agent: str, task: str) -> dict[str, Any]:
        """Give an agent a task."""
        manager = await self._agents()
        place = self._workplace()
        run = await manager.start(agent, task, place, tools=bool(place.roots))
        title = f"{agent}: {_short(task)}"
        self._followers.follow(Following(run, title, writer=await self._writer(title)))
        return {"runId": run.id}

    async def commit_message(self) -> dict[str, Any]:
        """Write a message for what is staged, else for all that is changed."""
        diff = await (await self._agents()).read_changes("committer", self._repository())
        if not diff:
            raise RunError("There is nothing to commit.", hint="Change or stage something first.")
        return await self._describe("Commit message", diff)

    async def pull_request(self) -> dict[str, Any]:
        """Write a description of what the branch has that the one it left has not."""
        changes = await (await self._agents()).read_branch("committer", self._repository())
        if not changes:
            raise RunError("This branch has no commits of its own.", hint="Commit your work on a branch first.")
        return await self._describe("Pull request", f"{read_prompt('pull_request')}\n\n{changes}")

    def _repository(self) -> Workplace:
        place = self._workplace()
        if not place.roots:
            raise RunError("No folder is open.", hint="Open the folder of your project.")
        return place

    async def _describe(self, title: str, task: str) -> dict[str, Any]:
        run = await (await self._agents()).start("committer", task, self._workplace(), tools=False)
        self._followers.follow(Following(run, title, writer=await self._writer(title)))
        return {"runId": run.id}

    def _workplace(self) -> Workplace:
        roots = tuple(self._around.folders())
        return Workplace(
            roots,
            BufferEditor(self._texts),
            self._approver,
            self._around.trusted(),
            index=self._around.index(roots[0]) if roots else None,
            reports=self,
            usages=self if self._client.finds_usages else None,
        )

    def reported(self, path: Path | None) -> str:
        """Return what other servers report of a file or of all that are open, for an agent's tool."""
        return self._around.diagnostics(None if path is None else path.as_uri())

    async def usages(self, path: Path, line: int, name: str) -> tuple[tuple[Path, int], ...]:
        """Return where the editor's other servers know a name to be used that stands in a line, for an agent's tool."""
        found = await self._client.find_usages(path.as_uri(), line - 1, name)
        places = ((path_of(uri), row) for uri, row in found)
        return tuple((one, row + 1) for one, row in places if one is not None)

    async def _agents(self) -> AgentManager:
        return await self._around.app().agents()

    async def _writer(self, title: str, head: str | None = None) -> AnswerWriter | None:
        """Open a document for an answer in a client that shows no runs; None where it cannot."""
        if self._client.shows_runs:
            return None
        begin = f"# {title}\n\n" if head is None else head
        try:
            path = await asyncio.to_thread(make_document, title, begin)
        except OSError as error:
            raise RunError(f"The document for the answer could not be made: {error.strerror or error}.") from None
        uri = path.as_uri()
        if not await self._client.show_document(uri):
            self._client.show_message("info", f"Dragoman answers in {path}")
            return FileWriter(path)
        return DocumentWriter(uri, self._texts, self._client, begin)

    # -- conversations -------------------------------------------------------------------------------------------------

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

    # -- decisions -----------------------------------------------------------------------------------------------------

    def approve(self, run_id: str, call_id: str, *, allow: bool, remember: str) -> bool:
        """Answer a question for permission."""
        return self._approver.answer(run_id, call_id, allow=allow, remember=cast("Remember", remember))

    async def cancel_run(self, run_id: str) -> bool:
        """End a run."""
        return await self._followers.cancel(run_id)

    async def decide_edit(self, run_id: str, hunks: Sequence[str] | None, *, accept: bool) -> dict[str, Any]:
        """Make or drop hunks of an edit."""
        edit = self._followers.edit_of(run_id)
        if edit is None:
            raise RunError("There is no edit to decide about.", hint="It may be made or dropped already.")
        done = await edit.decide(hunks, accept=accept)
        is_open = edit.is_open
        self._followers.settled(run_id)
        return {"applied" if accept else "rejected": done, "open": is_open}

    def findings(self, uri: str) -> tuple[ShownFinding, ...]:
        """Return what reviews found in a document and still stands."""
        return self._reviews.findings(uri)

    async def dismiss_finding(self, uri: str, fingerprint: str) -> bool:
        """Show a finding never again."""
        return await self._reviews.dismiss(uri, fingerprint)

    async def agents(self) -> tuple[dict[str, str], ...]:
        """Return name and description of every agent."""
        manager = await self._agents()
        found = await asyncio.to_thread(manager.agents, self._around.folders(), self._around.trusted())
        return tuple({"name": one.name, "description": one.description} for one in found)


def _short(text: str) -> str:
    first = text.split("\n", 1)[0]
    return first if len(first) <= TITLE_CHARS else f"{first[: TITLE_CHARS - 1]}…"
