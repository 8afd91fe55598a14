"""M3: from a key to the model's request, and from the model's reply to the editor's, without any debounce.

    python -m tests.bench.keystroke [--rounds 5] [--samples 200] [--quick] [--json]

A sample is one letter: didChange and inlineCompletion in one packet, a model that answers at once in one piece, the reply.
Every sample must make exactly one new request of the model, for exactly the text with that letter.
tabby-agent is measured with its debounce set to 0, and once, with fewer keys, as it comes.
Key → request ends when the model server has read the whole request; reply → reply begins when it starts to answer.
Editor and model server share the measuring process, so that two processors carry two processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence

from tests.bench.report import Row, Run, Table, distribution, parser, plain, ranged
from tests.bench.subjects import NEVER_TYPED, Subject, Typist, program, running
from tests.bench.tabby import tabby_agent
from tests.support.fake_model import Script

SIZES = (300, 2_600, 10_000)
PAUSE_S = 0.004
"""Between two samples, so that a server's work after its reply is not the next sample's."""
WARM_UP = 30
AS_IT_COMES = 12
"""Keys a round for who waits half a second at each."""

TABLE = Table(
    intro="""
From a key to the request at the model server, and from its answer to the editor's reply; milliseconds, without debounce.
A key is `didChange` and `inlineCompletion` in one packet.
tabby-agent is asked by `textDocument/completion`, the only way that it knows, and has a Tabby server behind it.
The median is that of five rounds' medians, with their range; the percentiles are of all samples.
Every key made one new request.
""",
    columns={
        "server": plain("subject"),
        "file": lambda row: f"{row['lines']:,} lines, {row['kb']} KB",
        "key → request": ranged("p50"),
        "p95": plain("p95"),
        "p99": plain("p99"),
        "answer → reply": ranged("reply_p50"),
        "p95 ": plain("reply_p95"),
        "samples": plain("samples"),
    },
)


async def measure(arguments: argparse.Namespace) -> list[Row]:
    script = {"models": ["fake-coder"], "text": f"{NEVER_TYPED}(never)", "token_size": 1000}
    rows = []
    with_tabby = tabby_agent(install=not arguments.quick) is not None
    if not with_tabby:
        print("tabby-agent is left out: it is not installed", file=sys.stderr)
    keys_of = ("dragoman", "floor", *(["tabby"] if with_tabby else []))
    async with contextlib.AsyncExitStack() as stack:
        subjects = [await stack.enter_async_context(running(key, Script(**script))) for key in keys_of]
        for lines in SIZES:
            uri = f"file:///bench/size{lines}.py"
            typists = [Typist(one.editor, uri, lines, one.method) for one in subjects]
            pairs = list(zip(subjects, typists, strict=True))
            keys: dict[str, list[list[float]]] = {one.key: [] for one in subjects}
            replies: dict[str, list[list[float]]] = {one.key: [] for one in subjects}
            for subject, typist in pairs:
                await block(subject, typist, 5 if arguments.quick else WARM_UP)
            for index in range(arguments.rounds):
                for subject, typist in pairs if index % 2 == 0 else reversed(pairs):
                    key, reply = await block(subject, typist, arguments.samples)
                    keys[subject.key].append(key)
                    replies[subject.key].append(reply)
            rows += [row_of(one, lines, keys[one.key], replies[one.key]) for one in subjects]
    if with_tabby:
        async with running("tabby_as_it_comes", Script(**script)) as subject:
            typist = Typist(subject.editor, "file:///bench/as_it_comes.py", SIZES[1], subject.method)
            count = 2 if arguments.quick else AS_IT_COMES
            rounds = [await block(subject, typist, count) for _ in range(arguments.rounds)]
            rows.append(row_of(subject, SIZES[1], [key for key, _ in rounds], [reply for _, reply in rounds]))
    return rows


def row_of(subject: Subject, lines: int, keys: list[list[float]], replies: list[list[float]]) -> Row:
    reply = {f"reply_{name}": value for name, value in distribution(replies).items()}
    kb = round(len(program(lines)) / 1000)
    return {"subject": subject.name, "lines": lines, "kb": kb, **distribution(keys), **reply}


async def block(subject: Subject, typist: Typist, count: int) -> tuple[list[float], list[float]]:
    """Type ``count`` keys; return the milliseconds of both ways."""
    editor, model = subject.editor, subject.model
    model.reset()
    keys, replies = [], []
    for number in range(count):
        data, request = typist.key()
        await asyncio.sleep(PAUSE_S)
        sent = time.monotonic()
        editor.send_bytes(data)
        reply = await editor.await_reply(request)
        exchanges = model.generations
        if len(exchanges) != number + 1 or not exchanges[-1].prefix.endswith(typist.head) or not reply.get("result"):
            raise RuntimeError(f"{subject.name}: {len(exchanges)} requests after {number + 1} keys; reply {reply}")
        assert exchanges[-1].first_token is not None
        keys.append((exchanges[-1].arrived - sent) * 1000)
        replies.append((editor.arrived_at.pop(request) - exchanges[-1].first_token) * 1000)
    return keys, replies


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__, rounds=5, samples=200).parse_args(argv)
    if arguments.quick:
        arguments.rounds, arguments.samples = 2, min(arguments.samples, 10)
    run = Run("keystroke", TABLE, arguments)
    run.finish(asyncio.run(measure(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
