"""Foreign tool servers as real processes: one that behaves, and one that misbehaves in every way."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from dragoman.agents.mcp import connection, servers, stdio
from dragoman.agents.mcp.limits import SERVER_TOOLS
from dragoman.agents.mcp.servers import McpServer, McpServers
from dragoman.errors import ToolServerError
from dragoman.settings.sections import McpServerSettings, McpSettings, SecuritySettings

SUPPORT = Path(__file__).parents[3] / "support"
GOOD, ROGUE = str(SUPPORT / "mcp_server.py"), str(SUPPORT / "rogue_mcp_server.py")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "GRACE_S", 0.2)


@asynccontextmanager
async def serving(*args: str, **more: object) -> AsyncIterator[McpServer]:
    one = McpServerSettings.model_validate({"command": sys.executable, "args": args, **more})
    every = McpServers(McpSettings(servers={"far": one}), SecuritySettings())
    try:
        yield every.servers["far"]
    finally:
        await every.aclose()


async def failure(server: McpServer, tool: str = "echo") -> str:
    with pytest.raises(ToolServerError) as caught:
        await server.call(tool, {"text": "hi"})
    return str(caught.value)


async def test_a_server_is_started_called_cancelled_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "sesame-open")
    note = tmp_path / "note"
    async with serving(GOOD, env={"MCP_NOTE": str(note), "A_TOKEN": "given"}) as server:
        assert server.state().state == "idle"
        assert not note.exists(), "nothing starts before it is needed"
        listing = await server.list_tools()
        assert {one.name: one.is_reading for one in listing.tools} == {
            **dict.fromkeys(("variables", "picture", "fail", "wait"), False),
            "forecast": True,
        }
        assert (await server.call("forecast", {"city": "Rome"})).text == "Rain in Rome for 1 day(s)."
        said = (await server.call("variables", {"names": ["A_TOKEN", "MY_API_KEY"]})).text
        assert said == "A_TOKEN=given MY_API_KEY=-"
        assert "an image, image/png" in (await server.call("picture", {})).text
        assert (await server.call("forecast", {})).failed
        waiting = asyncio.create_task(server.call("wait", {}))
        while "waiting" not in note.read_text():
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        while "cancelled" not in note.read_text():
            await asyncio.sleep(0.01)
    pid = int(note.read_text().split()[1])
    assert not psutil.pid_exists(pid)


async def test_one_that_ends_is_started_again_once() -> None:
    async with serving(ROGUE, "plain") as server:
        before = (await server.call("echo", {"text": "a"})).text
        first = await failure(server, "leave")
        assert "ended with exit code 7; the last it said was 'Traceback: the roof is on fire'" in first
        assert "The next call starts it again." in first
        after = (await server.call("echo", {"text": "a"})).text
        assert before != after, "it is another process"
        assert "It is not started again." in await failure(server, "leave")
        assert "is left alone now" in await failure(server)
        assert server.state().state == "failed"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("floods", "sent more than 2,000 messages within 10 seconds"),
        ("swells", "sent a message of more than 4,000,000 bytes"),
        ("hangs", "nothing came within 0.5 seconds"),
        ("garbage", "what it says is not the protocol"),
    ],
)
async def test_a_call_that_goes_wrong_is_a_sentence(mode: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if mode == "hangs":
        monkeypatch.setattr(connection, "CALL_S", 0.5)
    async with serving(ROGUE, mode) as server:
        assert said in await failure(server)


async def test_one_that_does_not_start_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "PATIENCE_S", 0.2)
    async with serving(ROGUE, "silent") as server:
        assert "is still starting" in await failure(server)
    monkeypatch.setattr(servers, "PATIENCE_S", 60.0)
    async with serving(ROGUE, "dies") as server:
        for _ in range(2):
            assert "ended with exit code 1; the last it said was 'no licence" in await failure(server)
    async with serving(command="/no/such/program") as server:
        assert "there is no program '/no/such/program'" in await failure(server)
    async with serving(url="ftp://x", command=None) as server:
        assert "no http(s) URL" in await failure(server)
    async with serving(url="http://127.0.0.1:9/mcp") as server:
        assert "either a 'command' or a 'url'" in await failure(server)


async def test_what_a_server_says_of_its_tools_is_bounded() -> None:
    async with serving(ROGUE, "many") as server:
        assert len((await server.list_tools()).tools) == SERVER_TOOLS
        assert "more tools than are read; the first 64" in server.problem
    async with serving(ROGUE, "nonsense") as server:
        listing = await server.list_tools()
        assert [one.name for one in listing.tools] == ["good", "wordy"]
        assert max(len(one.description) for one in listing.tools) <= 1_000
        faults = "\n".join(listing.faults)
        for said in (
            "'wrong' is left out: its schema is no JSON schema",
            "nested too deeply",
            "longer than",
            "two tools",
        ):
            assert said in faults
        assert "no other document is ever fetched" in faults
    async with serving(ROGUE, "changes") as server:
        names = [[one.name for one in (await server.list_tools()).tools] for _ in range(2)]
        assert names == [["echo", "leave"], ["new"]]
    async with serving(ROGUE, "no-list") as server:
        with pytest.raises(ToolServerError, match="is not the protocol"):
            await server.list_tools()


async def test_nothing_is_left_of_one_that_will_not_end(tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with serving(ROGUE, "stubborn", str(note)) as server:
        await server.call("echo", {})
    pids = [int(line.split()[1]) for line in note.read_text().splitlines() if line.startswith("pid")]
    assert len(pids) == 2
    for pid in pids:
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie":
            await asyncio.sleep(0.01)


def test_making_servers_imports_no_library() -> None:
    code = (
        "import sys, dragoman.agents.manager, dragoman.agents.toolbox\n"
        "print([one for one in ('mcp', 'mcp_types', 'httpx2', 'anyio', 'starlette', 'dragoman.agents.mcp.connection')"
        " if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_server_over_http_is_reached_and_found_again_when_it_was_started_anew() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, GOOD, str(port)], stderr=subprocess.DEVNULL)
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return process

    process = await start()
    try:
        async with serving(command=None, args=(), url=f"http://127.0.0.1:{port}/mcp", headers={"X-Key": "k"}) as server:
            assert len((await server.list_tools()).tools) == 5
            assert not server.is_remote
            assert (await server.call("forecast", {"city": "Rome"})).text == "Rain in Rome for 1 day(s)."
            process.kill()
            process.wait()
            assert "tool server 'far'" in await failure(server, "forecast")
            process = await start()
            assert (await server.call("forecast", {"city": "Oslo"})).text == "Rain in Oslo for 1 day(s)."
    finally:
        process.kill()
        process.wait()
