"""M4: from the moment when a text is no longer wanted until the model server sees its connection closed.

    python -m tests.bench.cancel [--samples 500] [--exits 15] [--keys 5000] [--quick] [--json]

The model says a word every 10 ms and never ends. Cases:
`superseded`: a letter that the running text no longer fits, with the cancel and the new request that editors send;
`closed`: didClose; `cancelled`: a bare $/cancelRequest, timed until its reply, and how long the generation lingers;
`hung up`: the editor is gone without a word; `exit`: shutdown and exit;
`storm`: keys as fast as the server takes them, then the document is closed: is every one answered once, what is left over?
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence

import psutil

from tests.bench.report import Row, Run, Table, distribution, parser, plain
from tests.bench.subjects import NEVER_TYPED, Subject, Typist, descriptors, running
from tests.support.fake_editor import FakeEditor
from tests.support.fake_model import Exchange, FakeModel, Script

LINES = 300
TOKEN_S = 0.01
READ_TOKENS = 2
"""With the second word on its way the server has surely read the first, so that a letter can contradict it."""
LINGERING = 5
"""How often the end of a lingering generation is waited for: each time takes two seconds."""

TABLE = Table(
    intro="""
From a text's being no longer wanted to the closed connection at the model server, while the model is speaking; milliseconds.
A bare cancel is answered at once and the generation goes on for up to two seconds, because the next key often still fits it.
In the storm the keys come as fast as the server takes them; its time is that from closing the document after it.
""",
    columns={
        "server": plain("subject"),
        "what happens": plain("case"),
        "until": plain("until"),
        "p50": plain("p50"),
        "p99": plain("p99"),
        "max": plain("max"),
        "samples": plain("samples"),
        "asked, answered, twice": lambda row: f"{row['asked']:,}, {row['answered']:,}, {row['twice']}",
        "left open": plain("left_open"),
    },
)


def speaking() -> Script:
    return Script(models=["fake-coder"], text=f"{NEVER_TYPED} {NEVER_TYPED} ", endless=True, token_delay=TOKEN_S)


class Count:
    """Counts requests and replies of one case: each request must get exactly one."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._before = subject.editor.replies
        self.ids: list[int | str] = []

    async def result(self, rounds: Sequence[Sequence[float]], **fields: object) -> Row:
        editor, model = self._subject.editor, self._subject.model
        for request in self.ids:
            if request not in editor.arrived_at:
                with contextlib.suppress(AssertionError):
                    await editor.await_reply(request, 5.0)
        answered = sum(request in editor.arrived_at for request in self.ids)
        with contextlib.suppress(TimeoutError):
            await model.wait_for(lambda one: not one.in_flight, 5.0)
        row = {
            "subject": self._subject.name,
            **fields,
            **distribution(rounds),
            "asked": len(self.ids),
            "answered": answered,
            "twice": editor.replies - self._before - answered,
            "left_open": model.in_flight,
        }
        editor.unread.clear()
        return row


async def ended(subject: Subject, exchange: Exchange, timeout: float = 20.0) -> float:
    """Wait until the server hung up on ``exchange`` and return when that was."""
    await subject.model.wait_for(lambda _: exchange.hung_up_at is not None, timeout)
    assert exchange.hung_up_at is not None
    return exchange.hung_up_at


async def superseded(subject: Subject, count: int) -> Row:
    """Every key contradicts the text of the one before."""
    uri = "file:///bench/superseded.py"
    typist = Typist(subject.editor, uri, LINES)
    counts = Count(subject)
    times = []
    subject.model.reset()
    data, request = typist.key()
    counts.ids.append(request)
    subject.editor.send_bytes(data)
    number = 0
    while len(times) < count:
        exchange = await subject.generation(number, READ_TOKENS)
        data, request = typist.key(cancels=True)
        if exchange.hung_up_at is None:
            sent = time.monotonic()
            subject.editor.send_bytes(data)
            times.append((await ended(subject, exchange) - sent) * 1000)
        else:
            # Beginning a new line was an edit that did not fit already; this key only starts the next sample.
            subject.editor.send_bytes(data)
        counts.ids.append(request)
        number += 1
    await subject.generation(number, READ_TOKENS)
    subject.editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    subject.editor.notify("$/cancelRequest", {"id": request})
    return await counts.result([times], case="superseded by a key", until="closed")


async def closed(subject: Subject, count: int) -> Row:
    """A document is opened, asked about and closed."""
    counts = Count(subject)
    times = []
    subject.model.reset()
    for number in range(count):
        uri = f"file:///bench/closed{number}.py"
        data, request = Typist(subject.editor, uri, LINES).key()
        counts.ids.append(request)
        subject.editor.send_bytes(data)
        exchange = await subject.generation(number, READ_TOKENS)
        sent = time.monotonic()
        subject.editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        times.append((await ended(subject, exchange) - sent) * 1000)
    return await counts.result([times], case="document closed", until="closed")


async def cancelled(subject: Subject, count: int) -> list[Row]:
    """A bare cancel: time to its reply; the last few generations are left to linger."""
    uri = "file:///bench/cancelled.py"
    typist = Typist(subject.editor, uri, LINES)
    counts = Count(subject)
    replies, lingering = [], []
    subject.model.reset()
    number = 0
    for index in range(count):
        data, request = typist.key()
        counts.ids.append(request)
        subject.editor.send_bytes(data)
        exchange = await subject.generation(number, READ_TOKENS)
        number = len(subject.model.generations)
        sent = time.monotonic()
        subject.editor.notify("$/cancelRequest", {"id": request})
        await subject.editor.await_reply(request)
        replies.append((subject.editor.arrived_at[request] - sent) * 1000)
        if index >= count - LINGERING:
            lingering.append((await ended(subject, exchange) - sent) * 1000)
    subject.editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    row = await counts.result([replies], case="bare cancel", until="its reply")
    left = {key: row[key] for key in ("subject", "case", "asked", "answered", "twice", "left_open")}
    return [row, {**left, "until": "closed", **distribution([lingering])}]


async def leave(count: int, *, politely: bool) -> Row:
    """The editor ends; every sample takes a server of its own."""
    times, asked, answered, left = [], 0, 0, 0
    for _ in range(count):
        async with running("dragoman", speaking()) as subject:
            data, request = Typist(subject.editor, "file:///bench/exit.py", LINES).key()
            subject.editor.send_bytes(data)
            exchange = await subject.generation(0, READ_TOKENS)
            sent = time.monotonic()
            if politely:
                subject.editor.send(
                    {"jsonrpc": "2.0", "id": "end", "method": "shutdown"}, {"jsonrpc": "2.0", "method": "exit"}
                )
            else:
                subject.editor.hang_up()
            times.append((await ended(subject, exchange) - sent) * 1000)
            await subject.editor.wait()
            await subject.editor.await_end()
            # Somebody who hung up reads no replies.
            asked += int(politely)
            answered += int(politely and request in subject.editor.arrived_at)
            left += subject.model.in_flight
            subject.editor.unread.clear()
    case = "shutdown and exit" if politely else "editor gone without a word"
    return {
        "subject": "Dragoman",
        "case": case,
        "until": "closed",
        **distribution([times]),
        "asked": asked,
        "answered": answered,
        "twice": 0,
        "left_open": left,
    }


async def storm(subject: Subject, keys: int) -> Row:
    """So many keys without a pause; then the document is closed."""
    editor, model = subject.editor, subject.model
    process = psutil.Process(editor.process.pid)
    uri = "file:///bench/storm.py"
    typist = Typist(editor, uri, LINES)
    before = descriptors(process), process.num_threads()
    model.reset()
    counts = Count(subject)
    begun = time.monotonic()
    async for data, request in _flood(typist, editor, keys):
        counts.ids.append(request)
        editor.send_bytes(data)

    def reached(model: FakeModel) -> bool:
        newest = model.generations[-1:]
        return bool(newest) and newest[0].prefix.endswith(typist.head) and newest[0].tokens >= READ_TOKENS

    await model.wait_for(reached, 60.0)
    seconds = time.monotonic() - begun
    closed_at = time.monotonic()
    editor.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    editor.notify("$/cancelRequest", {"id": typist.newest})
    with contextlib.suppress(TimeoutError):
        await model.wait_for(lambda one: not one.in_flight, 20.0)
    last = max((one.hung_up_at or one.ended or closed_at for one in model.generations), default=closed_at)
    row = await counts.result(
        [[max(0.0, last - closed_at) * 1000]], case=f"storm of {keys:,} keys", until="last one closed"
    )
    requests = len(model.generations)
    return {
        **row,
        "seconds_of_storm": round(seconds, 2),
        "model_requests": requests,
        "max_in_flight": model.max_in_flight,
        "connections_open": model.open_connections,
        "descriptors": [before[0], descriptors(process)],
        "threads": [before[1], process.num_threads()],
    }


async def _flood(typist: Typist, editor: FakeEditor, keys: int) -> AsyncIterator[tuple[bytes, int | str]]:
    for _ in range(keys):
        yield typist.key(cancels=True)
        assert editor._writer is not None
        await editor._writer.drain()
        await asyncio.sleep(0)


async def measure(arguments: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    for key in ("dragoman", "floor"):
        async with running(key, speaking()) as subject:
            rows.append(await superseded(subject, arguments.samples))
            if key == "dragoman":
                # The floor does not stop for a closed document.
                rows.append(await closed(subject, arguments.samples))
            rows += await cancelled(subject, arguments.samples)
        async with running(key, speaking()) as subject:
            await superseded(subject, 3)
            rows.append(await storm(subject, arguments.keys))
    rows.append(await leave(arguments.exits, politely=False))
    rows.append(await leave(arguments.exits, politely=True))
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__, samples=500, exits=15, keys=5000).parse_args(argv)
    if arguments.quick:
        arguments.samples, arguments.exits, arguments.keys = 6, 1, 100
    run = Run("cancel", TABLE, arguments)
    run.finish(asyncio.run(measure(arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
