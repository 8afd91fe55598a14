"""The real language server over scripted services: `python -m tests.support.scripted_lsp [--stdio | --tcp HOST:PORT]`.

The text of the cursor's line says how the engine behaves (`sleep:0.3`, `forever`, `stubborn`, `immortal`, `boom`, `refuse`,
`print`, `nothing`, `two`, `replace`); the suggestion itself tells, as JSON, what the engine was asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from dragoman.completion.next_edit import NextEdits
from dragoman.completion.prompt import Window
from dragoman.completion.provenance import Sent
from dragoman.completion.query import CompletionQuery, Outcome, Suggestion, TextView
from dragoman.context.diagnostics import Reported
from dragoman.context.snippets import NOTHING
from dragoman.errors import DragomanError, NoModelError
from dragoman.lsp.services import AssistanceService, ClientPort, EditorEdit, EditorOptions, ShownFinding
from dragoman.models.base import ChatRequest, Chunk
from dragoman.monitoring import bug


class ScriptedCompletion:
    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.counts: Counter[str] = Counter()
        self.running = 0
        self.next_edits = NextEdits()
        self.sent: Sent | None = None
        self._ids = 0

    async def suggest(self, query: CompletionQuery) -> Outcome:
        self.counts["suggest"] += 1
        self.running += 1
        try:
            return await self._suggest(query)
        except asyncio.CancelledError:
            self.counts["suggest cancelled"] += 1
            raise
        finally:
            self.running -= 1

    async def _suggest(self, query: CompletionQuery) -> Outcome:
        line = query.text.line(query.line)
        window = Window(line[: query.character], line[query.character :])
        self.sent = Sent(query.uri, query.language, query.line, query.character, line, None, window, NOTHING, 0.0)
        if match := re.search(r"sleep:([\d.]+)", line):
            await asyncio.sleep(float(match[1]))
        if "forever" in line:
            await asyncio.get_running_loop().create_future()
        if "stubborn" in line:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                await asyncio.sleep(0.05)
                return Outcome((Suggestion("late", "late", query.character, query.character),))
        if "immortal" in line:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
            await asyncio.get_running_loop().create_future()
        if "boom" in line:
            raise RuntimeError(f"scripted failure in {__file__}")
        if "refuse" in line:
            raise NoModelError("There is no model for 'completion'.", hint="Run 'dragoman models pull'.")
        if "print" in line:
            print("a stray print of some library")
            os.write(1, b"and a stray write to descriptor 1\n")
        if "nothing" in line:
            return Outcome(reason="filtered")
        self._ids += 1
        text = json.dumps(
            {
                "version": query.version,
                "language": query.language,
                "line": query.line,
                "character": query.character,
                "lines": query.text.line_count,
                "text": line,
                "trigger": query.trigger,
                "selected": None
                if query.selected is None
                else [query.selected.start_character, query.selected.end_character, query.selected.text],
            }
        )
        if "plain" in line:
            text = "plain text\n    of two lines"
        suggestions = [Suggestion(f"s{self._ids}", text, query.character, query.character)]
        if "two" in line:
            suggestions.append(Suggestion(f"s{self._ids}b", "other", query.character, query.character))
        if "replace" in line:
            suggestions = [Suggestion(f"s{self._ids}", line[: query.character] + "!", 0, query.character)]
        return Outcome(tuple(suggestions), source="model", model="scripted")

    def document_changed(self, uri: str, text: TextView, version: int, *, first_line: int, last_line: int) -> None:
        self.calls.append(["changed", uri, version, first_line, last_line, text.line_count])
        self.next_edits.document_changed(uri, text, version, first_line=first_line, last_line=last_line)
        if "boom" in text.line(min(first_line, text.line_count - 1)):
            self.counts["boomed"] += 1
        if "explode" in text.line(first_line):
            raise RuntimeError("scripted failure of a notification")

    def document_closed(self, uri: str) -> None:
        self.calls.append(["closed", uri])
        self.next_edits.document_closed(uri)

    def replied(self, query: CompletionQuery, outcome: Outcome) -> None:
        pass

    def accepted(self, suggestion_id: str, kind: str) -> None:
        self.calls.append(["accepted", suggestion_id, kind])

    def cancel(self) -> int:
        self.calls.append(["cancel"])
        return self.running


class ScriptedServices:
    """Hears everything, and uses the client as the arguments of `dragoman.selectModel` say."""

    def __init__(self, client: ClientPort) -> None:
        self.client = client
        self._completion = ScriptedCompletion()
        self.calls = self._completion.calls
        self._released = asyncio.Event()
        self._pulling = 0

    @property
    def completion(self) -> ScriptedCompletion:
        return self._completion

    @property
    def next_edits(self) -> NextEdits:
        return self._completion.next_edits

    async def assistance(self) -> AssistanceService:
        raise DragomanError("The scripted services have no agents.")

    def findings(self, uri: str) -> tuple[ShownFinding, ...]:
        return ()

    async def models(self) -> tuple[dict[str, Any], ...]:
        return ()

    def answer(self, request: ChatRequest, model: str | None) -> AsyncGenerator[Chunk, None]:
        raise DragomanError("The scripted services have no models.")

    async def start(self, editor: EditorOptions) -> None:
        self.calls.append(
            ["start", editor.client_name, [folder.uri for folder in editor.folders], dict(editor.settings)]
        )
        self.client.notify_status({"state": "ready", "sentence": "Scripted.", "model": "scripted"})

    async def settings_changed(self, settings: Any) -> None:
        self.calls.append(["settings", dict(settings)])

    def folders_changed(self, folders: Any) -> None:
        self.calls.append(["folders", [folder.uri for folder in folders]])

    def files_changed(self, changes: Any) -> None:
        self.calls.append(["files", [list(change) for change in changes]])

    def document_saved(self, uri: str) -> None:
        self.calls.append(["saved", uri])

    def diagnostics_seen(self, uri: str, reported: Iterable[Reported], lines: tuple[int, int] | None) -> None:
        self.calls.append(["diagnostics", uri, [[one.line, one.message, one.severity] for one in reported], lines])

    def yanked(self, text: str, uri: str) -> None:
        self.calls.append(["yanked", text, uri])

    def sent(self, uri: str | None) -> Sent | None:
        sent = self._completion.sent
        return sent if sent is not None and uri in (None, sent.uri) else None

    def status(self) -> dict[str, Any]:
        return {
            "state": "ready",
            "calls": self.calls[-200:],
            "counts": dict(self._completion.counts),
            "running": self._completion.running,
            "pulling": self._pulling,
            "bugs": [entry.message for entry in bug.recorded],
        }

    async def select_model(self, role: str, model: str) -> dict[str, Any]:
        client = self.client
        if role == "hold":
            try:
                await self._released.wait()
            except asyncio.CancelledError:
                self.calls.append(["command cancelled"])
                raise
            self.calls.append(["command done"])
            return {}
        if role == "release":
            self._released.set()
            return {}
        if role == "tell":
            sys.stderr.write(f"{model}\n")
            return {}
        if role == "ask":
            return {"chosen": await client.ask("info", model, ["Yes", "No"])}
        if role == "show":
            client.show_message("warning", model)
            client.log_message("info", model)
            return {}
        if role == "progress":
            cancelled = asyncio.Event()
            progress = await client.begin_progress(model, message="first", percentage=0, on_cancel=cancelled.set)
            progress.report("half", 50)
            if "wait" in model:
                await cancelled.wait()
            progress.end("done")
            progress.report("ignored")
            progress.end()
            return {"cancelled": cancelled.is_set()}
        if role == "apply":
            uri, version, text = json.loads(model)
            edit = EditorEdit(0, 0, 0, 1, text)
            return {"applied": await client.apply_edits(uri, [edit], version=version, label="Scripted")}
        if role == "status":
            client.notify_status({"state": model})
            return {}
        if role == "unserialisable":
            return {"value": object()}
        if role == "boom":
            raise RuntimeError("scripted failure of a command")
        raise DragomanError(f"There is no role {role!r}.")

    async def pull_model(self, name: str | None) -> dict[str, Any]:
        self.calls.append(["pull", name])
        if name is not None and name.replace(".", "").isdigit():
            self._pulling += 1
            try:
                await asyncio.sleep(float(name))
            finally:
                self._pulling -= 1
            self.calls.append(["pulled"])
        return {"name": name or "default"}

    async def aclose(self) -> None:
        sys.stderr.write("scripted services closed\n")


def set_limits() -> None:
    """Apply ``SCRIPTED_LIMITS``, JSON like {"dragoman.lsp.client.PROGRESS_SECONDS": 0.2}: what takes long is made short."""
    for path, value in json.loads(os.environ.get("SCRIPTED_LIMITS", "{}")).items():
        module, _, name = path.rpartition(".")
        found = importlib.import_module(module)
        assert isinstance(getattr(found, name), type(value)), path
        setattr(found, name, value)


def main() -> int:
    from dragoman.lsp.handshake import claim_stdio, shake_hands
    from dragoman.lsp.options import parse_options

    options = parse_options(sys.argv[1:])
    handshake = None
    if options.tcp is None:
        handshake = shake_hands(*claim_stdio())
        if handshake.exit_code is not None:
            return handshake.exit_code
    from dragoman.lsp.server import serve_stdio, serve_tcp

    set_limits()
    logging.basicConfig(level=logging.DEBUG if os.environ.get("SCRIPTED_DEBUG") else logging.INFO, stream=sys.stderr)
    if handshake is not None:
        return asyncio.run(serve_stdio(ScriptedServices, handshake))
    assert options.tcp is not None
    return asyncio.run(serve_tcp(ScriptedServices, *options.tcp))


if __name__ == "__main__":
    sys.exit(main())
