"""What an editor may ask of agents; implements `dragoman.lsp.services.AssistanceService`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

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
from dragoman.assistance.conversing import Conversations
from dragoman.assistance.edits import OpenEdit
from dragoman.assistance.following import Following
from dragoman.assistance.ground import Surroundings
from dragoman.assistance.mentions import fenced
from dragoman.assistance.reviews import DocumentReviews
from dragoman.assistance.tasks import ACTIONS, selected_lines, word_task
from dragoman.assistance.texts import OpenText, path_of
from dragoman.context.limits import SMALL_VOCABULARY
from dragoman.errors import DragomanError, RunError
from dragoman.lsp.services import ClientPort, ShownFinding, Span

logger = logging.getLogger(__name__)

TITLE_CHARS = 60

NOT_MADE: Final = (
    "This editor cannot be told which text a change is for, and what you type meanwhile must not be lost. "
    "So nothing was changed: make by hand what you like of this."
)


class Assistance(Conversations):
    """Chat, edits, reviews and runs of one editor."""

    def __init__(self, client: ClientPort, around: Surroundings) -> None:
        super().__init__(client, around)
        self._reviews = DocumentReviews(self._texts, client, self._dismissals, self._name)
        self._kept_dismissals: dict[Path, Dismissals] = {}
        self._reviewing: dict[str, Run] = {}

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

    def _dismissals(self, uri: str) -> Dismissals:
        path = path_of(uri)
        folders = self._around.folders()
        root = next((one for one in folders if path is not None and path.is_relative_to(one)), None) or Path.home()
        if root not in self._kept_dismissals:
            self._kept_dismissals[root] = Dismissals.of_workspace(root)
        return self._kept_dismissals[root]

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
            preview = self._client.shows_runs or not self._texts.can_change
            edit = OpenEdit(uri, session, self._texts, preview=preview, label=f"Dragoman: {title}")
        place = self._workplace()
        run = await manager.start(kind.agent, task, place, reader=edit, tools=kind.tools and bool(place.roots))
        if edit is None:
            await self._answer(run, title)
        else:
            behind = (
                None if self._client.shows_runs or self._texts.can_change else partial(self._show_changes, edit, title)
            )
            self._followers.follow(Following(run, title, edit=edit, behind=behind))
        return {"runId": run.id}

    async def _show_changes(self, edit: OpenEdit, title: str, _run: Run) -> None:
        """Show the changes of an edit in a document of their own, and make none."""
        diff = edit.diff()
        await edit.decide(None, accept=False)
        if not diff:
            return
        head = f"# {title}\n\n{NOT_MADE}\n\n{fenced(diff, 'diff')}\n"
        try:
            await self._writer(title, head)
        except RunError as error:
            self._client.show_message("error", f"Dragoman: {error}")

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
        await self._answer(run, f"{agent}: {_short(task)}")
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
        await self._answer(run, title)
        return {"runId": run.id}

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
