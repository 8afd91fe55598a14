"""M7: what the server keeps in memory, and what it gives back.

    python -m tests.bench.memory [--files 1000] [--keys 10000] [--quick] [--json]

Idle is RSS, all memory that the process uses, a library that it shares with others included; the rest is USS, the memory
that would be free if this process ended. The model is a server elsewhere (the fake one): an embedded model's own process is
apart and not in here. The package is compiled first, as an installed one is.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.bench.report import ROOT, Row, Run, Table, parser, plain
from tests.bench.subjects import NEVER_TYPED, Subject, Typist, launch, program, running
from tests.bench.tabby import tabby_agent
from tests.support.fake_editor import FakeEditor
from tests.support.fake_model import Script

LINES = 300
MIB = 1024 * 1024
SETTLE_S = 0.5
PAUSE_S = 7.0
"""A pause of the user's, in which a server may tidy up."""

TABLE = Table(
    intro="""
Memory of the server process, without a model's: all of it when idle (RSS), and what is its alone (USS).
A file has 300 lines and 8 KB; every key asks for a suggestion and gets one from the model.
What is given back on close is measured after a pause of seven seconds.
tabby-agent waits half a second at each key, so it gets none of the keys.
""",
    columns={
        "server": plain("subject"),
        "idle, one file open": lambda row: f"{row['idle_rss_mib']} MiB",
        "its alone": lambda row: f"{row['idle_mib']} MiB",
        "after the first suggestion": lambda row: f"{row['suggested_mib']} MiB",
        "each open file": lambda row: f"{row['per_file_kib']} KiB",
        "given back on close": lambda row: f"{row['returned_percent']} %",
        "after all keys": lambda row: f"{row['after_keys_mib']} MiB ({row['keys']:,} keys)" if row["keys"] else "–",
        "second window": lambda row: f"{row['second_window_mib']} MiB",
    },
)


async def measure(arguments: argparse.Namespace) -> list[Row]:
    script = {"models": ["fake-coder"], "text": f"{NEVER_TYPED}(never)", "token_size": 1000}
    compileall.compile_dir(ROOT / "server" / "dragoman", quiet=1)
    rows = []
    for key in ("dragoman", "floor", *(["tabby_as_it_comes"] if tabby_agent(install=not arguments.quick) else [])):
        async with running(key, Script(**script)) as subject:
            rows.append(await one_server(subject, arguments))
    return rows


async def one_server(subject: Subject, arguments: argparse.Namespace) -> Row:
    editor = subject.editor
    pause = SETTLE_S if arguments.quick else PAUSE_S
    keys = 0 if subject.key == "tabby_as_it_comes" else arguments.keys
    typist = Typist(editor, "file:///bench/first.py", LINES, subject.method)
    idle = await settled(editor, pause)
    resident = psutil.Process(editor.process.pid).memory_info().rss
    await type_keys(subject, typist, 1)
    # What is needed once, by the first files of all, is no file's share.
    open_files(editor, arguments.files // 20 + 1)
    await settled(editor)
    close_files(editor, arguments.files // 20 + 1)
    suggested = await settled(editor, pause)
    open_files(editor, arguments.files)
    opened = await settled(editor)
    close_files(editor, arguments.files)
    closed = await settled(editor, pause)
    await type_keys(subject, typist, keys)
    typed = await settled(editor)
    with tempfile.TemporaryDirectory() as folder:
        other = await launch(subject.key, subject.model, Path(folder))
        try:
            other.open("file:///bench/other.py", program(LINES, name="other"))
            second = await settled(other, pause)
        finally:
            await other.kill()
    grown = opened - suggested
    return {
        "subject": subject.name,
        "idle_mib": round(idle / MIB, 1),
        "idle_rss_mib": round(resident / MIB, 1),
        "suggested_mib": round(suggested / MIB, 1),
        "files": arguments.files,
        "opened_mib": round(opened / MIB, 1),
        "closed_mib": round(closed / MIB, 1),
        "per_file_kib": round(grown / arguments.files / 1024, 1),
        "file_kib": round(len(program(LINES, name="open1")) / 1024, 1),
        "returned_percent": round(100 * (opened - closed) / grown) if grown > 0 else None,
        "keys": keys,
        "after_keys_mib": round(typed / MIB, 1),
        "second_window_mib": round(second / MIB, 1),
    }


def open_files(editor: FakeEditor, count: int) -> None:
    for number in range(count):
        editor.open(f"file:///bench/open{number}.py", program(LINES, name=f"open{number}"))


def close_files(editor: FakeEditor, count: int) -> None:
    for number in range(count):
        editor.notify("textDocument/didClose", {"textDocument": {"uri": f"file:///bench/open{number}.py"}})


async def settled(editor: FakeEditor, seconds: float = SETTLE_S) -> int:
    """Return the memory after everything sent was read (a reply proves it) and the server had a time to itself."""
    await editor.await_reply(editor.request("workspace/executeCommand", {"command": "none", "arguments": []}))
    await asyncio.sleep(seconds)
    return int(psutil.Process(editor.process.pid).memory_full_info().uss)


async def type_keys(subject: Subject, typist: Typist, count: int) -> None:
    model = subject.model
    for number in range(count):
        if number % 100 == 0:
            model.reset()
        data, request = typist.key()
        subject.editor.send_bytes(data)
        reply = await subject.editor.await_reply(request)
        subject.editor.arrived_at.pop(request)
        if not reply.get("result"):
            raise RuntimeError(f"{subject.name} had no suggestion: {reply}")
    model.reset()


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__, files=1000, keys=10_000).parse_args(argv)
    if arguments.quick:
        arguments.files, arguments.keys = min(arguments.files, 20), min(arguments.keys, 50)
    run = Run("memory", TABLE, arguments)
    run.finish(asyncio.run(measure(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
