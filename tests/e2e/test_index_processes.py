"""The index's processes beside others: two servers, killed ones, ones that hang."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dragoman.errors import IndexUnavailableError
from tests.support.index import (  # noqa: F401 - two are fixtures
    Open,
    crawled,
    defined,
    echoing,
    indexed,
    is_gone,
    limited,
    modules,
    opened_fixture,
    processes,
    root_fixture,
    until,
    write,
)


async def test_two_servers_share_a_workspace(root: Path, opened: Open) -> None:
    modules(root, 800)
    one, two = opened(), opened()

    first, second = await asyncio.gather(crawled(one), crawled(two))
    assert first["files"] == second["files"] == 800
    write(root, {"x.py": "def of_one(): ...\n", "y.py": "def of_two(): ...\n"})
    for _ in range(5):
        one.notify("changed", {"paths": ["x.py"]})
        two.notify("changed", {"paths": ["y.py"]})
    await asyncio.gather(one.call("status"), two.call("status"))

    assert defined(root, "of_one")
    assert defined(root, "of_two")


async def test_only_one_of_them_crawls_and_the_other_takes_over(root: Path, opened: Open) -> None:
    modules(root, 2_000)
    one, two = opened(), opened()
    assert (await one.call("status"))["state"] == "scanning"
    assert (await two.call("status"))["state"] == "waiting"

    await one.aclose()

    assert (await crawled(two))["files"] == 2_000


async def test_a_killed_index_is_started_again(root: Path, opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    modules(root, 300)
    started = []
    client = opened(on_start=lambda: started.append(1))
    await crawled(client)
    (process,) = processes(root)
    process.suspend()
    lost = asyncio.create_task(client.call("status"))
    await asyncio.sleep(0.05)

    process.kill()

    with pytest.raises(IndexUnavailableError, match="ended unexpectedly"):
        await lost
    await until(lambda: len(started) == 2)
    assert (await crawled(client))["files"] == 300
    assert client.problem == ""
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "exit code -9" in warnings[0]


async def test_an_index_that_dies_at_once_is_left_alone_for_a_while(
    root: Path, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "broken"
    script.write_text(
        "#!/bin/sh\necho started >> '" + str(tmp_path / "starts") + "'\necho 'no such thing' >&2\nexit 3\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr("dragoman.context.workspace.client.INDEX_BACKOFF_S", 0.01)
    client = opened(python=str(script))

    with pytest.raises(IndexUnavailableError, match="exit code 3"):
        await client.call("status")
    await until(lambda: (tmp_path / "starts").read_text().count("started") == 4)
    await asyncio.sleep(0.3)

    assert (tmp_path / "starts").read_text().count("started") == 4
    with pytest.raises(IndexUnavailableError):
        await client.call("status")


async def test_a_killed_crawler_is_followed_by_another(root: Path, opened: Open) -> None:
    modules(root, 2_000)
    client = opened()
    status = await client.call("status")

    psutil.Process(status["crawler"]).kill()

    assert (await crawled(client))["files"] == 2_000


async def test_nothing_outlives_a_killed_server(root: Path, tmp_path: Path) -> None:
    modules(root, 2_000)
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom dragoman.context.workspace.client import IndexClient\n"
        "async def main():\n    client = IndexClient(Path(sys.argv[1]), watch=True)\n"
        "    await client.call('status')\n    print('up', flush=True)\n    await asyncio.sleep(100)\nasyncio.run(main())\n"
    )
    server = subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    await asyncio.to_thread(server.stdout.readline)
    left = processes(root)
    assert len(left) == 2

    server.send_signal(signal.SIGKILL)
    server.wait()
    server.stdout.close()

    assert await until(lambda: all(map(is_gone, left))) < 10


async def test_a_crawler_outlives_no_killed_index(root: Path, opened: Open) -> None:
    modules(root, 2_000)
    client = opened()
    await client.call("status")
    index, crawler = processes(root)
    await until(lambda: crawler.nice() == 19)
    crawler.suspend()  # Even when it cannot look at its pipe.

    index.kill()

    if sys.platform == "linux":
        await until(lambda: is_gone(crawler))
    await client.aclose()


async def test_closing_ends_everything_in_the_middle_of_a_crawl(root: Path, opened: Open) -> None:
    modules(root, 2_000)
    client = opened(watch=True)
    await client.call("status")
    running = processes(root)
    waiting = asyncio.create_task(client.call("wait"))
    await asyncio.sleep(0)

    await client.aclose()

    assert len(running) == 2
    assert all(map(is_gone, running))
    with pytest.raises(IndexUnavailableError):
        await waiting
    with pytest.raises(IndexUnavailableError):
        await client.call("status")


async def test_an_index_that_hangs_is_killed(root: Path, opened: Open) -> None:
    client = opened()
    await client.call("status")
    (process,) = processes(root)[:1]
    process.suspend()

    await client.aclose()

    assert is_gone(process)
