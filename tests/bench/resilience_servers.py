"""Three model servers in a process of their own, each of which can fall ill in many ways and be healed.

    python -m tests.bench.resilience_servers

It answers JSON lines: ``{"heal": true}``, ``{"fault": NAME}`` for the first server, ``{"log": true}`` for when each was asked.
It ends at end of file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.support.fake_dialects import GENERATION_PATHS
from tests.support.fake_http import Connection, Request
from tests.support.fake_model import Exchange, FakeModel, Script

MODEL = "fake-chat"
TEXT = "one two three four five six seven eight"
FIRST_TOKEN_S = 0.05
TOKEN_S = 0.01
COUNT = 3
SLOW_S = 2.0
FLAP_S = 1.0

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "healthy": {},
    "errors (500)": {"status": 500},
    "429, Retry-After: 1": {"status": 429, "retry_after": "1"},
    "slow first token (2 s)": {"first_token_delay": SLOW_S},
    "hanging": {"silent": True},
    "port closed": {},
    "flapping (500 every other second)": {"status": 500},
    "cut before the first token": {"cut_after": 0},
    "cut in the middle": {"cut_after": 4},
    "garbage in the stream": {"garbage_after": 4},
    "HTML": {},
}
"""What each fault changes in the script; some change more, see `Patient.fall_ill`."""
DEAD, FLAPPING, HTML = "port closed", "flapping (500 every other second)", "HTML"
WELL: Mapping[str, Any] = {
    "status": None, "retry_after": None, "first_token_delay": FIRST_TOKEN_S, "silent": False, "cut_after": None,
    "garbage_after": None,
}  # fmt: skip


class Patient(FakeModel):
    """A model server that falls ill and is healed at its one address.

    It listens at all of the machine's addresses: the one that its clients use is no loopback address, so they take it for
    a server elsewhere.
    """

    def __init__(self) -> None:
        super().__init__(Script(models=[MODEL], text=TEXT, token_delay=TOKEN_S, context=8192, **WELL))
        self._html = False
        self._flapping: asyncio.Task[None] | None = None

    async def start(self, port: int = 0) -> None:
        self.port = await self._server.start(port, "0.0.0.0")

    async def fall_ill(self, fault: str) -> None:
        if fault == DEAD:
            await self.aclose()
        elif fault == FLAPPING:
            self._flapping = asyncio.create_task(self._flap(FAULTS[fault]))
        self._html = fault == HTML
        self.configure(**FAULTS[fault])

    async def heal(self) -> None:
        if self._flapping is not None:
            self._flapping.cancel()
            self._flapping = None
        self._html = False
        self.configure(**WELL)
        if self._server._server is None:
            await self.start(self.port)

    async def _flap(self, fault: Mapping[str, Any]) -> None:
        while True:
            for script in (fault, WELL):
                self.configure(**script)
                await asyncio.sleep(FLAP_S)

    async def _serve(self, request: Request, connection: Connection, exchange: Exchange) -> None:
        if self._html and request.path in GENERATION_PATHS:
            await connection.send_body(b"<html><body>Please log in.</body></html>", content_type="text/html")
        else:
            await super()._serve(request, connection, exchange)


class Servers:
    """The process from outside: ``with Servers() as servers: servers.urls``; each call takes a moment, and waits for it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.resilience_servers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.urls: list[str] = [f"http://0.0.0.0:{port}/v1" for port in self._read()]
        """Their addresses; the first is the one that falls ill."""
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def fall_ill(self, fault: str) -> None:
        self._ask({"fault": fault})

    def heal(self) -> None:
        self._ask({"heal": True})

    def asked(self) -> list[list[float]]:
        """Return when each server was asked for text since this was last called, in monotonic seconds."""
        times: list[list[float]] = self._ask({"log": True})
        return times

    def _ask(self, order: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


async def serve() -> None:
    async with contextlib.AsyncExitStack() as stack:
        patients = [await stack.enter_async_context(Patient()) for _ in range(COUNT)]
        say([one.port for one in patients])
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = json.loads(line)
            if fault := order.get("fault"):
                await patients[0].fall_ill(fault)
            elif order.get("heal"):
                await patients[0].heal()
            times = [[asked.arrived for asked in one.generations] for one in patients]
            if order.get("log"):
                for one in patients:
                    one.reset()
            say(times if order.get("log") else True)
        await patients[0].heal()


def say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
