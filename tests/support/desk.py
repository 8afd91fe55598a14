"""A fake editor with buffers: it makes the edits that it is asked for, tells of them as editors do, and answers questions."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.agent_scene import CART, PROVIDER
from tests.support.fake_editor import DRAGOMAN, PATIENCE, FakeEditor, editing
from tests.support.fake_model import FakeModel, Script

Message = dict[str, Any]

PLAIN: Message = {
    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": True}},
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
    "textDocument": {
        "inlineCompletion": {"dynamicRegistration": True},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}},
        "publishDiagnostics": {"relatedInformation": True, "codeDescriptionSupport": True},
    },
}
RICH: Message = {**PLAIN, "experimental": {"dragoman": {"runEvents": True}}}


class Desk:
    """Buffers over a `FakeEditor`; characters are code points, so the texts of its tests are ASCII or it says utf-32."""

    def __init__(self, editor: FakeEditor, answer: str | None = "Allow once") -> None:
        self.editor = editor
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.applied: list[Message] = []
        self.questions: list[str] = []
        self.progress: list[Message] = []
        self.shown: list[str] = []
        self.before_edit: Callable[[], None] | None = None
        """Called once before the next edit is made: somebody types at that very moment."""
        self.admits = True
        """Whether an edit that is refused, for another version, is said to be; Neovim says that it has made it."""
        self.tells = True
        """Whether changes are told at once; Eglot counts each and tells of them when its user has been idle for a moment."""
        self._answer = answer
        self._events: list[Message] = []
        editor.ignored |= {"$/progress", "textDocument/publishDiagnostics"}
        editor.answers |= {
            "workspace/applyEdit": self._apply,
            "window/showDocument": self._show,
            "window/showMessageRequest": self._ask,
            "window/workDoneProgress/create": lambda _params: None,
            "client/registerCapability": lambda _params: None,
        }

    # -- what a person does --------------------------------------------------------------------------------------------

    def open(self, uri: str, text: str, language: str = "python") -> None:
        self.texts[uri], self.versions[uri] = text, 1
        self.editor.open(uri, text, language=language)

    def type(self, uri: str, start: tuple[int, int], end: tuple[int, int], text: str) -> None:
        self._change(uri, [(start, end, text)])

    def tell(self, uri: str) -> None:
        """Tell of what was changed and not told, as a whole text."""
        self.editor.change(uri, self.versions[uri], self.texts[uri])

    async def command(self, name: str, **argument: Any) -> Any:
        return await self.editor.command(f"dragoman.{name}", argument)

    # -- what is seen --------------------------------------------------------------------------------------------------

    async def until(self, run_id: str, fits: Callable[[Message], bool]) -> list[Message]:
        """Return the events of a run that were not read yet, up to one that fits."""
        read: list[Message] = []
        while True:
            event = (
                await self.editor.await_message(
                    f"event of {run_id} after {[one['type'] for one in read]}",
                    lambda m: m.get("method") == "dragoman/runEvent" and m["params"]["runId"] == run_id,
                )
            )["params"]
            read.append(event)
            if fits(event):
                return read

    async def ended(self, run_id: str) -> list[Message]:
        """Return the events of a run up to its end."""
        return await self.until(run_id, lambda event: event["type"] in {"finished", "failed", "cancelled"})

    async def settles(self, fits: Callable[[], bool], what: str) -> None:
        """Wait until something is as it should be."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not fits():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{what}: {self.texts}\n{self.editor.log()[-4000:]}") from None

    def diagnostics(self, uri: str) -> list[Message]:
        """Return what was pushed last for a document."""
        pushed = self.pushes(uri)
        return pushed[-1] if pushed else []

    def pushes(self, uri: str) -> list[list[Message]]:
        """Return the diagnostics of every push for a document, the first first."""
        return [
            one["params"]["diagnostics"]
            for one in self.editor.unread
            if one.get("method") == "textDocument/publishDiagnostics" and one["params"]["uri"] == uri
        ]

    # -- what the server asks ------------------------------------------------------------------------------------------

    def _apply(self, params: Message) -> Message:
        self.applied.append(params)
        if self.before_edit is not None:
            type_now, self.before_edit = self.before_edit, None
            type_now()
        edit = params["edit"]
        for change in edit.get("documentChanges") or ():
            wanted = change["textDocument"]["version"]
            if wanted is not None and wanted != self.versions[change["textDocument"]["uri"]]:
                return {"applied": not self.admits}
        for change in edit.get("documentChanges") or ():
            self._make(change["textDocument"]["uri"], change["edits"])
        for uri, edits in (edit.get("changes") or {}).items():
            self._make(uri, edits)
        return {"applied": True}

    def _make(self, uri: str, edits: Sequence[Message]) -> None:
        ordered = sorted(edits, key=lambda one: _place(one["range"]["start"]), reverse=True)
        self._change(
            uri, [(_place(one["range"]["start"]), _place(one["range"]["end"]), one["newText"]) for one in ordered]
        )

    def _change(self, uri: str, changes: Sequence[tuple[tuple[int, int], tuple[int, int], str]]) -> None:
        text = self.texts.get(uri, "")
        for start, end, new in changes:
            text = text[: _offset(text, start)] + new + text[_offset(text, end) :]
        self.texts[uri] = text
        if uri in self.versions:
            self.versions[uri] += 1
        if uri in self.versions and self.tells:
            self.editor.change(uri, self.versions[uri], *((*start, *end, new) for start, end, new in changes))

    def _show(self, params: Message) -> Message:
        uri = params["uri"]
        self.shown.append(uri)
        self.texts.setdefault(uri, Path(unquote(urlsplit(uri).path)).read_text(encoding="utf-8"))
        return {"success": True}

    def _ask(self, params: Message) -> Message | None:
        self.questions.append(params["message"])
        return None if self._answer is None else {"title": self._answer}


@contextlib.asynccontextmanager
async def desk(
    folder: Path,
    script: Script,
    *,
    rich: bool = True,
    answer: str | None = "Allow once",
    far: bool = False,
    loose: bool = False,
    versions: bool = True,
    settings: str = "",
    more: Message | None = None,
    name: str = "",
) -> AsyncIterator[tuple[Desk, FakeModel, Path]]:
    """Have the server work for an editor in a small project, with a scripted model; ``far`` has it stand on another machine.

    An editor without ``versions`` cannot be told for which one of a document an edit is.
    ``settings`` are tables that the user's file has beside the provider's, ``more`` are abilities of the editor.
    ``name`` is what it calls itself.
    """
    root = folder / "shop"
    root.mkdir()
    (root / "cart.py").write_text(CART)
    async with FakeModel(script) as model:
        config = folder / "config.toml"
        proxy = f'proxy = "{model.url}"' if far else ""
        url = "http://models.invalid" if far else model.url
        storage = f'[storage]\ndatabase_url = "sqlite:///{folder / "kept.sqlite"}"'
        config.write_text(f"{PROVIDER.format(url=url)}{proxy}\n{storage}\n{settings}\n")
        env = {**os.environ, "XDG_DATA_HOME": str(folder / "data")}
        async with editing(command=[*DRAGOMAN, "--config", str(config)], env=env) as editor:
            at = Desk(editor, answer)
            await editor.initialize(
                {
                    **(RICH if rich else PLAIN),
                    "general": {"positionEncodings": ["utf-32"]},
                    "workspace": {"applyEdit": True, "workspaceEdit": {"documentChanges": versions}},
                    **(more or {}),
                },
                clientInfo={"name": name},
                workspaceFolders=None if loose else [{"uri": root.as_uri(), "name": "shop"}],
                initializationOptions={"trusted": True},
            )
            yield at, model, root


def _place(position: Message) -> tuple[int, int]:
    return position["line"], position["character"]


def _offset(text: str, place: tuple[int, int]) -> int:
    lines = text.split("\n")
    line, character = place
    if line >= len(lines):
        return len(text)
    return sum(len(one) + 1 for one in lines[:line]) + min(character, len(lines[line]))
