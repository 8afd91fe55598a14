"""Running commands, with real processes: bounds, ends, and what is left of them."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from pathlib import Path

import psutil
import pytest

from dragoman.agents import limits
from dragoman.agents.tools import processes
from dragoman.agents.tools.processes import Descendants, filtered_environment
from dragoman.errors import CommandError, ToolArgumentsError
from tests.support.tool_bench import ToolBench

PYTHON = sys.executable


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolBench:
    monkeypatch.setattr(processes, "COMMAND_GRACE_S", 0.2)
    return ToolBench(tmp_path / "project")


async def pids_in(file: Path, count: int) -> list[int]:
    """Wait until the program has written the numbers of its processes."""
    while True:
        words = file.read_text().split() if file.exists() else []
        if len(words) >= count:
            return [int(word) for word in words]
        await asyncio.sleep(0.01)


def handles_now() -> int:
    return psutil.Process().num_fds()


async def gone(pids: list[int]) -> bool:
    for _ in range(500):
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        if not alive:
            return True
        await asyncio.sleep(0.01)
    return False


# Its child stays in the group, its grandchild leaves it; all ignore SIGTERM and never end.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
generation = int(sys.argv[1])
with open("pids", "a") as file:
    file.write(f"{os.getpid()} ")
if generation:
    subprocess.Popen([sys.executable, "family.py", str(generation - 1)], start_new_session=generation == 1)
time.sleep(1_000)
"""


async def test_exit_code_output_and_duration(bench: ToolBench) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); print(repr(sys.stdin.read())); sys.exit(3)"
    result = await bench.result("run_command", argv=[PYTHON, "-c", code])
    # No duration: two runs of it are told alike.
    assert result.text.startswith("[exit code 3]\n")
    assert {"out", "err", "''"} <= set(result.text.splitlines())
    assert result.details["exit_code"] == 3
    assert result.details["seconds"] > 0
    assert "".join(one.text for one in bench.outputs).count("\n") == 3


async def test_there_is_no_shell(bench: ToolBench) -> None:
    assert "$HOME; *" in await bench.call("run_command", argv=["echo", "$HOME; *"])
    with pytest.raises(CommandError, match="There is no shell"):
        await bench.call("run_command", argv=["echo hello && ls"])
    (bench.root / "data").write_text("x")
    with pytest.raises(CommandError, match="may not be run"):
        await bench.call("run_command", argv=["./data"])
    for argv in ([], [" "], ["x", "a\0b"], ["x", "y" * limits.COMMAND_CHARS]):
        with pytest.raises(ToolArgumentsError):
            await bench.call("run_command", argv=argv)


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_nothing_is_left_of_one_that_never_ends(bench: ToolBench, how: str) -> None:
    bench.write("family.py", FAMILY)
    file = bench.root / "pids"
    limit = 1_000.0 if how == "cancel" else 2.0
    call = asyncio.create_task(bench.result("run_command", argv=[PYTHON, "family.py", "2"], timeout=limit))
    if how == "cancel":
        pids = await pids_in(file, 3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    else:
        result = await call
        # A machine that is busy may not have come so far; all that did begin is to be gone.
        pids = await pids_in(file, 1) if file.exists() else []
        assert result.details["timed_out"]
        assert "ended after its 2 s" in result.text
    assert await gone(pids)


async def test_what_a_command_leaves_behind_ends_with_it(bench: ToolBench) -> None:
    bench.write("family.py", FAMILY)
    code = "import subprocess, sys, time, os\nsubprocess.Popen([sys.executable, 'family.py', '1'])\n"
    code += "while not os.path.exists('pids') or len(open('pids').read().split()) < 2: time.sleep(0.01)\nprint('done')"
    text = await bench.call("run_command", argv=[PYTHON, "-c", code])
    assert "done" in text
    assert await gone(await pids_in(bench.root / "pids", 2))


async def test_a_flood_is_kept_at_both_ends_only(bench: ToolBench, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys\nsys.stdout.write('first\\n')\nfor _ in range(200): sys.stdout.write('x' * 1_000_000)\nprint('\\nlast')"
    before = psutil.Process().memory_info().rss
    result = await bench.result("run_command", argv=[PYTHON, "-c", code])
    assert result.details["bytes"] == 200_000_012
    assert "\nfirst\n" in result.text
    assert result.text.endswith("\nlast\n")
    assert "bytes left out" in result.text
    assert len(result.text) <= limits.RESULT_CHARS
    assert sum(len(one.text) for one in bench.outputs) < limits.COMMAND_STREAMED_BYTES + 100
    assert psutil.Process().memory_info().rss - before < 100_000_000


async def test_keys_do_not_reach_the_program(bench: ToolBench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "GH_TOKEN", "MY_PASSWORD", "SSH_AUTH_SOCK", "DRAGOMAN_X", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "open-sesame")
    monkeypatch.setenv("ENDPOINT", "https://user:hunter2hunter2@example.org/x")
    monkeypatch.setenv("PLAIN", "kept")
    text = await bench.call("run_command", argv=["env"])
    assert "open-sesame" not in text
    assert "hunter2" not in text
    assert "PLAIN=kept" in text
    assert filtered_environment({"PATH": "/bin", "HOME": "/h"}).items() >= {"PATH": "/bin", "HOME": "/h"}.items()


async def test_many_at_once_leave_no_task_and_no_handle(bench: ToolBench) -> None:
    await bench.call("run_command", argv=["true"])
    handles = handles_now()
    await asyncio.gather(*(bench.call("run_command", argv=["echo", str(number)]) for number in range(5)))
    calls = [asyncio.create_task(bench.call("run_command", argv=["sleep", "100"])) for _ in range(5)]
    await asyncio.sleep(0.05)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert all(call.cancelled() for call in calls)
    until = time.monotonic() + 10
    while len(asyncio.all_tasks()) > 1 and time.monotonic() < until:
        await asyncio.sleep(0.01)
    assert len(asyncio.all_tasks()) == 1
    while handles_now() > handles and time.monotonic() < until:
        await asyncio.sleep(0.01)
    assert handles_now() <= handles


# Its child has another group and no environment, and never ends.
STRANGER = """
import os, subprocess, sys, time
code = "import os, time; open('pids', 'w').write(str(os.getpid())); time.sleep(1_000)"
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, env={})
time.sleep(1_000)
"""


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_a_process_without_group_and_environment_is_not_left_either(bench: ToolBench, how: str) -> None:
    limit = 1_000.0 if how == "cancel" else 2.0
    call = asyncio.create_task(bench.result("run_command", argv=[PYTHON, "-c", STRANGER], timeout=limit))
    if how == "cancel":
        pids = await pids_in(bench.root / "pids", 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    else:
        await call
        file = bench.root / "pids"
        pids = await pids_in(file, 1) if file.exists() else []
    assert await gone(pids)


async def test_a_process_that_outlives_its_parent_is_known_from_before(bench: ToolBench) -> None:
    start = "import subprocess as s, sys; n = s.DEVNULL"
    start += "; print(s.Popen(['sleep', '1000'], stdin=n, stdout=n, start_new_session=True, env={}).pid)"
    parent = await asyncio.create_subprocess_exec(
        PYTHON, "-c", f"{start}; sys.stdout.flush(); sys.stdin.read()", stdin=PIPE, stdout=PIPE
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    left = int(await parent.stdout.readline())
    descendants = Descendants(parent.pid)
    descendants.look()
    parent.stdin.close()
    await parent.wait()
    assert descendants.kill()
    assert await gone([left])
    assert not descendants.kill()
