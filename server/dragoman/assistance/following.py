"""Runs as an editor sees them: their events, a progress that cancels, and the documents that their answers go to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dragoman.agents.events import RunEvent
from dragoman.agents.run import Run
from dragoman.assistance.answers import AnswerWriter
from dragoman.assistance.attachments import STAYS
from dragoman.assistance.edits import OpenEdit
from dragoman.cancellation import TaskSet
from dragoman.lsp.services import ClientPort, Progress


@dataclass(slots=True)
class Following:
    """One run and all that hangs on it.

    ``behind`` is called when everything is done, with the run.
    """

    run: Run
    title: str
    shows_progress: bool = True
    writer: AnswerWriter | None = None
    edit: OpenEdit | None = None
    behind: Callable[[Run], Awaitable[None]] | None = None
    seq: int = field(default=0, init=False)
    is_noted: bool = field(default=False, init=False)
    """Whether the document says that the answer stays on this machine."""


class Followers:
    """Passes the events of every run on, and remembers the runs that something can still be decided about."""

    def __init__(self, client: ClientPort, tasks: TaskSet) -> None:
        self._client = client
        self._tasks = tasks
        self._followed: dict[str, Following] = {}

    def follow(self, following: Following) -> None:
        """Pass a run's events on until its end."""
        self._followed[following.run.id] = following
        self._tasks.start(self._work(following), name=f"follow {following.run.id}")

    def edit_of(self, run_id: str) -> OpenEdit | None:
        """Return the edit of a run."""
        following = self._followed.get(run_id)
        return following.edit if following is not None else None

    async def cancel(self, run_id: str) -> bool:
        """End a run; False when there is none that goes on."""
        following = self._followed.get(run_id)
        if following is None or following.run.has_ended:
            return False
        await following.run.cancel()
        return True

    def edits(self, uri: str) -> tuple[OpenEdit, ...]:
        """Return the edits of a document that are not decided yet, or may still grow."""
        return tuple(
            one.edit
            for one in self._followed.values()
            if one.edit is not None and one.edit.uri == uri and (one.edit.is_open or not one.run.has_ended)
        )

    async def document_closed(self, uri: str) -> None:
        """End the edits of a document that is no longer there to be changed."""
        for following in tuple(self._followed.values()):
            if following.edit is not None and following.edit.uri == uri:
                await following.run.cancel()
                self._forget(following)

    def tell_edit(self, run_id: str, data: Mapping[str, Any]) -> None:
        """Tell of a hunk, within the run's own events while it goes on and behind them afterwards."""
        following = self._followed.get(run_id)
        if following is None:
            return
        if not following.run.has_ended:
            following.run.emit("edit", **data)
            return
        following.seq = max(following.seq, following.run.state.seq) + 1
        self._client.show_run_event({"runId": run_id, "seq": following.seq, "type": "edit", **data})

    async def _work(self, following: Following) -> None:
        run, edit = following.run, following.edit
        progress: Progress | None = None
        beside = [self._tasks.start(work, name=f"beside {run.id}") for work in self._beside(following)]
        try:
            if following.shows_progress:
                progress = await self._client.begin_progress(following.title, on_cancel=lambda: self._cancel(run))
            if edit is not None and not run.has_ended:
                edit.attach(partial(self.tell_edit, run.id))
            async with aclosing(run.events()) as events:
                async for event in events:
                    self._pass_on(event, following, progress)
            await self._end(following, beside)
        finally:
            if progress is not None:
                progress.end("done" if run.status == "succeeded" else run.status)
            for task in beside:
                task.cancel()
            if edit is None or not edit.is_open:
                self._forget(following)

    def _beside(self, following: Following) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what goes on beside the events: hunks that are made and an answer that is written."""
        if following.edit is not None:
            yield following.edit.make_as_they_come(lambda: following.run.has_ended)
        if following.writer is not None:
            yield following.writer.work()

    async def _end(self, following: Following, beside: Sequence[asyncio.Task[None]]) -> None:
        run, edit = following.run, following.edit
        if edit is not None:
            edit.attach(partial(self.tell_edit, run.id))
            edit.wake()
        if following.writer is not None:
            following.writer.end()
        if beside:
            # One that failed has been reported; what comes behind the run is owed all the same.
            await asyncio.wait(beside)
        self._say_end(following)
        if following.behind is not None:
            await following.behind(run)

    def _cancel(self, run: Run) -> None:
        self._tasks.start(run.cancel(), name=f"cancel {run.id}")

    def settled(self, run_id: str) -> None:
        """Forget an edit of which everything was decided, when its run has ended."""
        following = self._followed.get(run_id)
        if following is not None and following.run.has_ended and not (following.edit and following.edit.is_open):
            self._forget(following)

    def _forget(self, following: Following) -> None:
        self._followed.pop(following.run.id, None)

    def _pass_on(self, event: RunEvent, following: Following, progress: Progress | None) -> None:
        self._client.show_run_event(event.as_json())
        data, writer = event.data, following.writer
        if writer is not None and following.run.state.private and not following.is_noted:
            # Before anything of these files is in the answer, which may be broken off at any moment.
            following.is_noted = True
            writer.write(f"\n{STAYS}\n\n")
        if event.type == "text" and writer is not None:
            writer.answer(str(data["text"]))
        elif event.type == "tool_call":
            if progress is not None:
                progress.report(f"{data['tool']}")
            if writer is not None:
                writer.write(f"\n> {data['tool']} {_line(data['arguments'])}\n\n")
        elif event.type == "failed" and writer is not None:
            writer.write(f"\n**Failed:** {data['error']}\n")
        elif event.type == "cancelled" and writer is not None:
            writer.write("\n*Cancelled.*\n")

    def _say_end(self, following: Following) -> None:
        """Say what a client without a view of runs would not see."""
        run, edit = following.run, following.edit
        if self._client.shows_runs:
            return
        if run.status == "failed" and following.writer is None:
            self._client.show_message("error", f"Dragoman: {run.error}")
        if edit is None or run.status != "succeeded":
            return
        if edit.conflicts:
            self._client.show_message(
                "warning", f"Dragoman left out {edit.conflicts} of its changes: you have typed there meanwhile."
            )
        elif not edit.made and not edit.is_open:
            told = edit.problems[0] if edit.problems else "The model proposed no change."
            self._client.show_message("warning", f"Dragoman: {told}")


def _line(arguments: Any) -> str:
    text = " ".join(f"{key}={value!r}" for key, value in arguments.items()) if isinstance(arguments, dict) else ""
    return text if len(text) <= 120 else f"{text[:119]}…"
