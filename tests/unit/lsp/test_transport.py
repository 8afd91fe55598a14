"""The writer for files, terminals and Windows pipes: in order, and never more than the client may owe."""

from __future__ import annotations

import asyncio
import os

import pytest

from dragoman.lsp import transport
from dragoman.lsp.transport import ThreadWriter


async def test_what_is_written_arrives_in_order() -> None:
    reading, writing = os.pipe()
    lost = asyncio.Event()
    writer = ThreadWriter(writing, lost.set)
    sent = [b"%06d" % number * 100 for number in range(2000)]
    for data in sent:
        writer.write(data)
    with os.fdopen(reading, "rb") as source:
        received = asyncio.create_task(asyncio.to_thread(source.read))
        await writer.aclose()
        assert await received == b"".join(sent)
    assert not lost.is_set()


async def test_a_client_that_never_reads_is_given_up_and_gets_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_UNREAD", 1 << 20)
    reading, writing = os.pipe()
    lost = asyncio.Event()
    writer = ThreadWriter(writing, lost.set)
    block = bytes(1 << 16)
    for _ in range(100):
        writer.write(block)
    async with asyncio.timeout(60):
        await lost.wait()
    with os.fdopen(reading, "rb") as source:
        received = asyncio.create_task(asyncio.to_thread(source.read))
        await writer.aclose()
        assert len(await received) <= 2 << 20


async def test_a_client_that_has_gone_is_noticed() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    lost = asyncio.Event()
    writer = ThreadWriter(writing, lost.set)
    writer.write(b"x")
    async with asyncio.timeout(60):
        await lost.wait()
    await writer.aclose()
