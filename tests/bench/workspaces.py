"""M3 in a workspace: does the index, while it is made and after, slow a key down?

    python -m tests.bench.workspaces [--files 1000,10000] [--rounds 5] [--samples 200] [--quick] [--json]

A key as in `tests.bench.keystroke`, in a file of 300 lines that imports from its neighbours; every 40 keys the next line
begins, and with it another question to the index.
The workspace holds Python files of 120 lines, each unlike the others; "while it is indexed" ends when the index does, so
there are as many samples as fit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.bench.keystroke import WARM_UP, block, row_of
from tests.bench.report import Row, Run, Table, parser, plain, ranged
from tests.bench.subjects import NEVER_TYPED, Subject, Typist, program, running
from tests.support.fake_model import Script

LINES = 300
PATIENCE_S = 900.0

TABLE = Table(
    intro="""
From a key to the request at the model server, in a workspace; milliseconds, without debounce, one new request a key.
Each line of 40 keys asks the index anew; what it does not answer within 6 ms is left to the next key.
"With context" is the share of requests that carried text from other files.
"Kept" is how much of a prompt before its cursor begins the next one too, which a server that caches by prefix need not read
again: from key to key on a line, and from a line's last key to the next line's first.
""",
    columns={
        "workspace": plain("subject"),
        "key → request": ranged("p50"),
        "p95": plain("p95"),
        "p99": plain("p99"),
        "answer → reply": ranged("reply_p50"),
        "p95 ": plain("reply_p95"),
        "with context": lambda row: f"{100 * row['with_context']:.0f} %",
        "kept on a line": lambda row: f"{100 * row['kept_on_line']:.1f} %",
        "to the next": lambda row: "–" if row["kept_to_next"] is None else f"{100 * row['kept_to_next']:.1f} %",
        "samples": plain("samples"),
    },
)


def make(folder: Path, files: int) -> Path:
    """Write a workspace of so many Python files in packages of fifty, and return the path of one to type in."""
    for number in range(files):
        package = folder / f"package{number // 50}"
        if number % 50 == 0:
            package.mkdir(parents=True)
            (package / "__init__.py").write_text("", encoding="utf-8")
        (package / f"module{number}.py").write_text(program(120, name=f"part{number}"), encoding="utf-8")
    return folder / "package0" / "typed.py"


async def measure(arguments: argparse.Namespace, files: int) -> list[Row]:
    script = {"models": ["fake-coder"], "text": f"{NEVER_TYPED}(never)", "token_size": 1000}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        place = make(folder, files)
        async with contextlib.AsyncExitStack() as stack:
            bare = await stack.enter_async_context(running("dragoman", Script(**script)))
            inside = await stack.enter_async_context(running("dragoman", Script(**script), workspace=folder))
            bare.name, inside.name = "none", f"{files:,} files, while they are indexed"
            pairs = [
                (bare, Typist(bare.editor, "file:///bench/typed.py", LINES, bare.method, moves=True)),
                (inside, Typist(inside.editor, place.as_uri(), LINES, inside.method, moves=True)),
            ]
            for subject, typist in pairs:
                await block(subject, typist, 5 if arguments.quick else WARM_UP)
            rows += await compare(arguments, pairs, until_indexed=True)
            await indexed(inside)
            bare.name, inside.name = "none ", f"{files:,} files, indexed"
            rows += await compare(arguments, pairs)
    return rows


async def compare(
    arguments: argparse.Namespace, pairs: list[tuple[Subject, Typist]], *, until_indexed: bool = False
) -> list[Row]:
    """Type in both by turns, and return a row for each."""
    keys: dict[str, list[list[float]]] = {one.name: [] for one, _ in pairs}
    replies: dict[str, list[list[float]]] = {one.name: [] for one, _ in pairs}
    prompts: dict[str, list[list[str]]] = {one.name: [] for one, _ in pairs}
    for index in range(arguments.rounds):
        if until_indexed and await state(pairs[1][0]) == "ready":
            break
        for subject, typist in pairs if index % 2 == 0 else reversed(pairs):
            key, reply = await block(subject, typist, arguments.samples)
            keys[subject.name].append(key)
            replies[subject.name].append(reply)
            prompts[subject.name].append([one.body["prompt"] for one in subject.model.generations])
    rows = []
    for subject, _ in pairs:
        if keys[subject.name]:
            asked = prompts[subject.name]
            carried = ["<|file_sep|>" in prompt for block in asked for prompt in block]
            row = row_of(subject, LINES, keys[subject.name], replies[subject.name])
            rows.append({**row, "with_context": sum(carried) / len(carried), **stability(asked)})
    return rows


def stability(blocks: Sequence[Sequence[str]]) -> Row:
    """Return the mean share of a prompt that the next one keeps, on a line and from one line to the next."""
    shares: dict[bool, list[float]] = {True: [], False: []}
    for prompts in blocks:
        for one, following in pairwise(prompts):
            before, after = one.partition("<|fim_suffix|>")[0], following.partition("<|fim_suffix|>")[0]
            same_line = after.rpartition("\n")[2].startswith(before.rpartition("\n")[2])
            shares[same_line].append(len(os.path.commonprefix([before, after])) / len(before))  # noqa: RUF071
    mean = {line: sum(values) / len(values) if values else None for line, values in shares.items()}
    return {"kept_on_line": mean[True], "kept_to_next": mean[False]}


async def state(subject: Subject) -> str:
    """Return what the index of the subject's workspace is doing."""
    status = await subject.editor.call("workspace/executeCommand", {"command": "dragoman.status", "arguments": [{}]})
    found = status["context"]["indexes"]
    return str(found[0]["state"]) if found else ""


async def indexed(subject: Subject) -> None:
    """Wait until the index is complete."""
    async with asyncio.timeout(PATIENCE_S):
        while await state(subject) != "ready":
            await asyncio.sleep(0.2)


def main(argv: Sequence[str] | None = None) -> int:
    made = parser(__doc__ or "", rounds=5, samples=200)
    made.add_argument("--files", default="1000,10000", help="sizes of the workspaces")
    arguments = made.parse_args(argv)
    sizes = [int(one) for one in arguments.files.split(",")]
    if arguments.quick:
        arguments.rounds, arguments.samples, sizes = 2, min(arguments.samples, 50), [100]
    run = Run("workspaces", TABLE, arguments)
    rows = []
    for files in sizes:
        rows += asyncio.run(measure(arguments, files))
    run.finish(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
