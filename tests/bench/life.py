"""The life of a keystroke, step by step, in the real server.

    python -m tests.bench.life [--keys 1000] [--write] [--quick] [--json]

The server's process wraps the functions named in `STEPS` when it starts and notes when each began or ended; the product has
no timing code. A step lasts from the end of the step before to its own mark, so that the steps add up to the whole.
`--write` puts the table into server/ARCHITECTURE.md, between two marks at the end of "The life of a keystroke".
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import inspect
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.keystroke import block
from tests.bench.report import ROOT, Row, Run, Table, markdown, parser, plain
from tests.bench.subjects import CONFIG, NEVER_TYPED, BenchEditor, Subject, Typist
from tests.support.fake_model import FakeModel, Script

LINES = 2_600
BLOCK = 50
PAGE = ROOT / "server" / "ARCHITECTURE.md"
SECTION = "## The life of a keystroke"
BEGIN, END = "<!-- life:begin -->", "<!-- life:end -->"


@dataclass(frozen=True)
class Step:
    """What ends when ``where`` (module below dragoman, then the name in it) begins or ends for the first or last time."""

    what: str
    where: str
    edge: str = "end"
    which: str = "last"
    model: bool = False
    """Whether the model's time is in it, which is not ours."""

    @property
    def mark(self) -> str:
        return f"{self.where} {self.edge} {self.which}"

    @property
    def file(self) -> str:
        path = self.where.partition(":")[0].replace(".", "/")
        return f"{path}/" if (ROOT / "server" / "dragoman" / path).is_dir() else f"{path}.py"


START = Step("", "lsp.transport:Inbound.feed", "begin")
ASKED = Step("snapshot taken, task begun", "completion.engine:CompletionEngine.suggest", "begin")
STEPS = (
    Step("message cut out and decoded", "lsp.protocol:Protocol._structure", which="first"),
    Step("change applied to the document", "lsp.documents:Document.apply"),
    Step("streams that do not fit closed", "completion.engine:CompletionEngine.document_changed"),
    Step("request decoded", "lsp.protocol:Protocol._structure"),
    ASKED,
    Step("guards", "completion.guards:refuse"),
    Step("index asked: is it typed already?", "completion.cache:GenerationIndex.find"),
    Step("rhythm; is an edit due here?", "app:ModelTargets.completion_target", "begin"),
    Step("model chosen", "app:ModelTargets.completion_target"),
    Step("room made, shape decided", "completion.shape:shape_at"),
    Step("window cut, prompt built", "completion.prompt:build_request"),
    Step("request encoded and sent", "models.providers.wire:_Connection._wait", "begin", "first"),
    Step("the model's first byte", "models.providers.wire:_Connection.buffer_updated", "begin", "first", model=True),
    Step("stream read, stop rules", "completion.stopping:StopRules.cut"),
    Step("filters", "completion.postprocess:polish"),
    Step("score, what was shown", "completion.engine:CompletionEngine.suggest"),
    Step("reply encoded", "lsp.protocol:Protocol._write", "begin"),
    Step("reply written", "lsp.protocol:Protocol._answer"),
)

TABLE = Table(
    intro=f"""
What happens between a key and its suggestion, in a file of {LINES:,} lines, without debounce; milliseconds.
The model answers at once; its own time counts in neither sum.
""",
    columns={"step": plain("step"), "where": plain("where"), "p50": plain("p50"), "p95": plain("p95")},
)


# -- in the server's process -------------------------------------------------------------------------------------------


class Recorder:
    """Notes the marks of one key after the other."""

    def __init__(self) -> None:
        self.keys: list[dict[str, float]] = []
        self._now: dict[str, float] = {}

    def note(self, where: str, edge: str) -> None:
        now = time.perf_counter()
        if where == START.where and edge == START.edge:
            # What asked for no suggestion was no key.
            if ASKED.mark in self._now:
                self.keys.append(self._now)
            self._now = {}
        self._now.setdefault(f"{where} {edge} first", now)
        self._now[f"{where} {edge} last"] = now

    def wrap(self, where: str) -> None:
        """Replace a function wherever the package holds it; raises SystemExit when it is gone."""
        module_name, _, path = where.partition(":")
        *classes, name = path.split(".")
        try:
            owner: Any = importlib.import_module(f"dragoman.{module_name}")
            for one in classes:
                owner = getattr(owner, one)
            original = getattr(owner, name)
        except (ImportError, AttributeError) as error:
            raise SystemExit(
                f"A step of a keystroke is gone: {where!r} ({error}). Correct STEPS in {__file__}."
            ) from error
        wrapped = self._timed(where, original)
        setattr(owner, name, wrapped)
        if not classes:
            for module in [value for key, value in sys.modules.items() if key.startswith("dragoman.")]:
                if vars(module).get(name) is original:
                    setattr(module, name, wrapped)

    def _timed(self, where: str, original: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def awaited(*arguments: Any, **named: Any) -> Any:
                self.note(where, "begin")
                try:
                    return await original(*arguments, **named)
                finally:
                    self.note(where, "end")

            return awaited

        @functools.wraps(original)
        def called(*arguments: Any, **named: Any) -> Any:
            self.note(where, "begin")
            try:
                return original(*arguments, **named)
            finally:
                self.note(where, "end")

        return called


def serve(out: Path, arguments: list[str]) -> int:
    """Be the language server, and leave the marks of every key in ``out``."""
    for module in ("editor", "models.providers.transport"):
        importlib.import_module(f"dragoman.{module}")
    recorder = Recorder()
    for where in dict.fromkeys(step.where for step in (START, *STEPS)):
        recorder.wrap(where)
    from dragoman.start import serve_editor

    code = serve_editor(arguments)
    out.write_text(json.dumps(recorder.keys), encoding="utf-8")
    return code


# -- in the measuring process ------------------------------------------------------------------------------------------


async def record(keys: int) -> list[dict[str, float]]:
    """Type ``keys`` keys into an instrumented server and return the marks of each."""
    script = Script(models=["fake-coder"], text=f"{NEVER_TYPED}(never)", token_size=1000)
    async with FakeModel(script) as model:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            config, out = folder / "config.toml", folder / "marks.json"
            config.write_text(CONFIG.format(url=model.url), encoding="utf-8")
            env = {f"DRAGOMAN_{one}_DIR": str(folder / one.lower()) for one in ("CONFIG", "DATA", "RUNTIME")}
            command = [sys.executable, "-m", "tests.bench.life", "--serve", str(out), "--config", str(config)]
            editor = await BenchEditor.launch(command=command, env=env)
            try:
                await editor.initialize()
                await editor.await_status(lambda status: status["state"] == "ready")
                subject = Subject("dragoman", editor, model)
                typist = Typist(editor, "file:///bench/life.py", LINES)
                await block(subject, typist, min(keys, BLOCK))
                for _ in range(0, keys, BLOCK):
                    await block(subject, typist, min(keys, BLOCK))
                await editor.close()
            finally:
                await editor.kill()
            marks: list[dict[str, float]] = json.loads(out.read_text(encoding="utf-8"))
            return marks[-keys:]


def rows_of(keys: Sequence[dict[str, float]]) -> list[Row]:
    """Turn marks into one row a step and two sums; raises RuntimeError when a step did not happen or came out of order."""
    marks = [START, *STEPS]
    whole = []
    for key in keys:
        missing = [step.where for step in marks if step.mark not in key]
        if missing:
            raise RuntimeError(f"These steps did not happen: {', '.join(missing)}")
        times = [key[step.mark] for step in marks]
        if times == sorted(times):
            whole.append([1000 * (end - begin) for begin, end in pairwise(times)])
    if len(whole) < 0.9 * len(keys):
        raise RuntimeError(f"In {len(keys) - len(whole)} of {len(keys)} keys the steps came in another order.")
    model = next(index for index, step in enumerate(STEPS) if step.model)
    rows: list[Row] = []
    for index, step in enumerate(STEPS):
        if index == model:
            rows.append(_row("**key → request**", "", [sum(key[:model]) for key in whole]))
        rows.append(_row(step.what, f"`{step.file}`", [key[index] for key in whole]))
    rows.append(_row("**first byte → reply**", "", [sum(key[model + 1 :]) for key in whole]))
    return rows


def _row(step: str, where: str, values: list[float]) -> Row:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {
        "step": step,
        "where": where or "–",
        "p50": round(statistics.median(ordered), 3),
        "p95": round(p95, 3),
        "keys": len(ordered),
    }


def write(page: Path, rows: Sequence[Row]) -> None:
    """Put the table between the marks of ``page``; without marks, at the end of its section."""
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text:
        before, section, rest = text.partition(SECTION)
        if not section:
            raise SystemExit(f"{page} has no section {SECTION!r}.")
        end = rest.find("\n## ")
        end = len(rest) if end < 0 else end
        text = f"{before}{section}{rest[:end].rstrip()}\n\n{BEGIN}\n{END}\n{rest[end:]}"
    before, rest = text.split(BEGIN)
    intro = f"{TABLE.intro.strip()}\nMeasured over {rows[0]['keys']:,} keys by `make bench-life`."
    table = f"{intro}\n\n{markdown(TABLE, rows)}"
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["--serve"]:
        return serve(Path(argv[1]), argv[2:])
    made: argparse.ArgumentParser = parser(__doc__, keys=1000)
    made.add_argument("--write", action="store_true", help="write the table into server/ARCHITECTURE.md")
    arguments = made.parse_args(argv)
    if arguments.quick:
        arguments.keys = min(arguments.keys, 20)
    run = Run("life", TABLE, arguments)
    rows = run.finish(rows_of(asyncio.run(record(arguments.keys))))
    if arguments.write:
        write(PAGE, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
