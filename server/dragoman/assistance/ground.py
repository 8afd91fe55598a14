"""What every action of an editor's agents stands on: the open documents, the folders, and what may leave this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.agents.manager import AgentManager, Workplace
from dragoman.agents.run import Run
from dragoman.agents.tools.project import Index
from dragoman.assistance.answers import AnswerWriter, DocumentWriter, FileWriter, make_document
from dragoman.assistance.buffers import BufferEditor
from dragoman.assistance.following import Followers, Following
from dragoman.assistance.permission import EditorApprover
from dragoman.assistance.texts import OpenText, Texts, path_of
from dragoman.cancellation import TaskSet
from dragoman.errors import RunError
from dragoman.lsp.services import ClientPort
from dragoman.security.paths import is_secret_path, resolved

if TYPE_CHECKING:
    from dragoman.app import App

Folders = Callable[[], list[Path]]


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


class Ground:
    """The open documents of one editor and the runs that go on for it."""

    def __init__(self, client: ClientPort, around: Surroundings) -> None:
        self._client = client
        self._around = around
        self._tasks = TaskSet()
        self._texts = Texts(client)
        self._approver = EditorApprover(client, self._tasks)
        self._followers = Followers(client, self._tasks)

    async def aclose(self) -> None:
        """End every run and whatever hangs on it."""
        await self._tasks.aclose()

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

    def _refuse_private(self, path: Path | None, uri: str) -> None:
        """Raise for a document that must not leave this machine."""
        name = Path(uri) if path is None else path
        target = resolved(path) if path is not None else name
        if is_secret_path(name) or is_secret_path(target):
            raise RunError(f"{name.name!r} looks like a file of keys: it is never sent to another machine.")
        if self._around.is_ignored(uri) or (target != name and self._around.is_ignored(target.as_uri())):
            raise RunError(f"{name.name!r} is ignored in this project: it is never sent to another machine.")

    def _may_send(self, path: Path) -> None:
        """Raise for a file that must not leave this machine."""
        self._refuse_private(path, path.as_uri())

    def _is_private(self, path: Path) -> bool:
        try:
            self._may_send(path)
        except RunError:
            return True
        return False

    def _is_private_name(self, name: str) -> bool:
        """Tell the same of a file by the name that `_name` gives it."""
        return any(self._is_private(folder / name) for folder in (*self._around.folders(), Path("/")))

    async def _check(self, uri: str, agent: str) -> None:
        """Raise for a document that must not leave this machine where the agent's model may be on another one."""
        if await self._may_leave(agent):
            self._refuse_private(path_of(uri), uri)

    async def _may_leave(self, agent: str, model: str | None = None) -> bool:
        manager = await self._agents()
        definition = await asyncio.to_thread(manager.get, agent, self._around.folders(), self._around.trusted())
        return await manager.may_leave(definition, model=model)

    def _workplace(self) -> Workplace:
        roots = tuple(self._around.folders())
        return Workplace(
            roots,
            BufferEditor(self._texts),
            self._approver,
            self._around.trusted(),
            index=self._around.index(roots[0]) if roots else None,
            reports=self,
            navigation=self if self._client.finds_usages or self._client.finds_symbols else None,
        )

    def reported(self, path: Path | None) -> str:
        """Return what other servers report of a file or of all that are open, for an agent's tool."""
        return self._around.diagnostics(None if path is None else self._uri_of(path))

    async def usages(self, path: Path, line: int, name: str) -> tuple[tuple[Path, int], ...]:
        """Return where the editor's other servers know a name to be used that stands in a line, for an agent's tool."""
        found = await self._client.find_usages(self._uri_of(path), line - 1, name)
        return await _real_places(found)

    async def definitions(self, name: str) -> tuple[tuple[Path, int], ...]:
        """Return where the editor's other servers know a name to be defined, for an agent's tool."""
        return await _real_places(await self._client.find_symbols(name))

    def _uri_of(self, path: Path) -> str:
        """Return what the editor calls a file that a tool names, by its path without links."""
        if (shown := self._texts.of_path(path)) is not None:
            return shown.uri
        for folder in self._around.folders():
            if path.is_relative_to(root := resolved(folder)):
                return (folder / path.relative_to(root)).as_uri()
        return path.as_uri()

    async def _agents(self) -> AgentManager:
        return await self._around.app().agents()

    async def _answer(self, run: Run, title: str) -> None:
        """Follow a run; its answer goes to a document in a client that shows no runs."""
        try:
            writer = await self._writer(title)
        except BaseException:
            # Nobody would ever see it, nor end it.
            await run.cancel()
            raise
        self._followers.follow(Following(run, title, writer=writer))

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


async def _real_places(found: Sequence[tuple[str, int]]) -> tuple[tuple[Path, int], ...]:
    """Return places of an editor, lines from 0, as tools name them: paths without links, lines from 1."""
    places = [(one, row + 1) for uri, row in found if (one := path_of(uri)) is not None]
    real = await asyncio.to_thread(lambda: {one: resolved(one) for one in {path for path, _ in places}})
    return tuple((real[one], row) for one, row in places)
