"""The index of a workspace in its real processes, with what disks, users and other processes do to it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from dragoman.context.workspace.place import index_file
from dragoman.errors import IndexUnavailableError, WorkspaceIndexError
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


async def test_what_is_in_the_workspace_is_found_and_what_is_ignored_is_not(root: Path, opened: Open) -> None:
    write(
        root,
        {
            "a.py": "def first(): ...\n",
            "deep/b.ts": "export function second() {}\n",
            ".gitignore": "out\n",
            "out/c.py": "def third(): ...\n",
            "tmp/d.py": "def fourth(): ...\n",
            ".env": "KEY=1\n",
        },
    )
    events: list[dict[str, object]] = []
    client = opened(excludes=["**/tmp"], on_event=events.append)

    status = await crawled(client)

    assert indexed(root) == {"a.py", "deep/b.ts", ".gitignore"}
    assert defined(root, "first")
    assert (status["state"], status["files"], status["total"], status["problem"]) == ("ready", 3, 3, "")
    assert status["root"] == str(root)
    assert events[-1]["state"] == "ready"
    assert [process.cmdline()[-5:-3] for process in processes(root)] == [["dragoman-index", "--root"]]
    assert index_file(root).stat().st_mode & 0o777 == 0o600
    assert index_file(root).parent.stat().st_mode & 0o777 == 0o700


async def test_a_second_start_reads_nothing_again_and_sees_what_has_changed(root: Path, opened: Open) -> None:
    modules(root, 60)
    first = opened()
    await crawled(first)
    await first.aclose()
    before = index_file(root).stat().st_mtime_ns
    (root / "package/part0/module_3.py").unlink()
    write(root, {"new.py": "def newcomer(): ...\n", "package/part0/module_4.py": "def changed_one(): ...\n"})

    await crawled(opened())

    assert before
    assert len(indexed(root)) == 60
    assert defined(root, "newcomer")
    assert defined(root, "changed_one")
    assert not defined(root, "function_3")
    assert not defined(root, "function_4")


async def test_saved_deleted_renamed_files_and_folders_are_fresh_at_once(root: Path, opened: Open) -> None:
    modules(root, 60)
    client = opened()
    await crawled(client)

    write(root, {"package/new.py": "def saved(): ...\n"})
    client.notify("changed", {"paths": ["package/new.py"]})
    await client.call("status")
    assert defined(root, "saved")

    (root / "package/new.py").rename(root / "package/newer.py")
    client.notify("changed", {"paths": ["package/new.py", "package/newer.py"]})
    await client.call("status")
    assert "package/newer.py" in indexed(root)
    assert "package/new.py" not in indexed(root)

    (root / "package/part0").rename(root / "moved")
    client.notify("changed", {"paths": ["package/part0", "moved"]})
    await crawled(client)
    assert "moved/module_0.py" in indexed(root)
    assert not any(path.startswith("package/part0/") for path in indexed(root))

    write(root, {".gitignore": "moved/\n"})
    client.notify("changed", {"paths": [".gitignore"]})
    await crawled(client)
    assert not any(path.startswith("moved/") for path in indexed(root))


async def test_questions_are_answered_while_the_workspace_is_crawled(root: Path, opened: Open) -> None:
    modules(root, 1_500)
    client = opened(python=sys.executable)
    await client.call("status")
    answers, during = [], 0
    waiting = asyncio.create_task(client.call("wait"))
    while not waiting.done():
        started = time.monotonic()
        status = await client.call("status")
        answers.append(time.monotonic() - started)
        during += status["state"] == "scanning"
        await asyncio.sleep(0.01)

    assert during > 3
    assert sorted(answers)[len(answers) // 2] < 1  # Milliseconds; the figure is the bench's.
    assert len(indexed(root)) == 1_500


async def test_the_files_near_open_documents_come_first(root: Path, opened: Open) -> None:
    modules(root, 2_000, "aaa")
    modules(root, 50, "zzz/near")
    client = opened()
    client.notify("near", {"folders": ["zzz/near"]})
    await client.start()

    await until(lambda: index_file(root).exists() and len(indexed(root)) > 50)

    first = indexed(root)
    assert len(first) < 2_050
    assert sum(path.startswith("zzz/near/") for path in first) == 50
    await crawled(client)


async def test_the_crawler_steps_back_and_ends_when_it_is_done(root: Path, opened: Open) -> None:
    modules(root, 1_500)
    client = opened()
    status = await client.call("status")
    crawler = psutil.Process(status["crawler"])

    await until(lambda: is_gone(crawler) or crawler.nice() == 19)
    assert "dragoman-index-crawler" in crawler.cmdline()
    await crawled(client)

    assert is_gone(crawler)
    assert (await client.call("status"))["crawler"] is None


# -- the disk ----------------------------------------------------------------------------------------------------------


async def test_strange_files_harm_nothing(root: Path, opened: Open) -> None:
    write(root, {"good.py": "def good(): ...\n", "locked/in.py": "def inside(): ...\n"})
    with (root / "huge.py").open("wb") as huge:
        huge.truncate(200 * 1024 * 1024)
    (root / "loop").symlink_to(root)
    (root / "a").mkdir()
    (root / "a" / "b").symlink_to(root / "a")
    (root / "outside.py").symlink_to("/etc/passwd")
    (root / "self").symlink_to("self")
    os.mkfifo(root / "pipe.py")
    (root / "latin.py").write_bytes(b"def latin(): return '\xe9'\n")
    (root / "wide.py").write_text("def wide(): ...\n", encoding="utf-16")
    (root / "binary.py").write_bytes(b"def binary(): ...\n\0\1")
    (root / "empty.py").touch()
    (root / "min.js").write_text("var a=1;" * 2_000, encoding="utf-8")
    (root / "made.py").write_text("# @generated by a program\ndef made(): ...\n", encoding="utf-8")
    for name in (b"\xff\xfe.py", b"new\nline.py"):
        with open(os.path.join(os.fsencode(root), name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(b"def oddly_named(): ...\n")

    status = await crawled(opened())

    assert indexed(root) == {"good.py", "locked/in.py", "latin.py", "wide.py", "new\nline.py"}
    assert all(defined(root, name) for name in ("good", "latin", "wide", "oddly_named"))
    assert status["problem"] == ""


async def test_files_that_vanish_under_the_crawl_are_no_fault(root: Path, opened: Open) -> None:
    modules(root, 1_000)
    client = opened()
    await client.start()
    for number in range(0, 1_000, 3):
        (root / f"package/part{number // 50}/module_{number}.py").unlink()
        await asyncio.sleep(0)
    gone = [f"package/part{number // 50}/module_{number}.py" for number in range(0, 1_000, 3)]
    client.notify("changed", {"paths": gone})

    status = await crawled(client)

    assert indexed(root).isdisjoint(gone)
    assert status["files"] == 1_000 - len(gone)


async def test_a_corrupt_index_is_made_anew_with_one_line(
    root: Path, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    write(root, {"a.py": "def first(): ...\n"})
    index = index_file(root)
    index.parent.mkdir(parents=True)
    index.write_bytes(os.urandom(100_000))

    status = await crawled(opened())

    assert indexed(root) == {"a.py"}
    assert status["problem"] == ""
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_an_index_that_breaks_while_it_is_open_is_made_anew(root: Path, opened: Open) -> None:
    modules(root, 300)
    client = opened()
    await crawled(client)
    index = index_file(root)
    size = index.stat().st_size
    with index.open("r+b") as file:
        for at in range(4_096, size, 4_096):
            file.seek(at)
            file.write(os.urandom(2_000))
    write(root, {"a.py": "def afterwards(): ...\n"})
    client.notify("changed", {"paths": ["a.py", *(f"package/part0/module_{number}.py" for number in range(50))]})
    client.notify("rescan")

    await crawled(client)
    await crawled(client)

    await until(lambda: defined(root, "afterwards") and len(indexed(root)) == 301)


async def test_an_index_that_somebody_deleted_comes_back(root: Path, opened: Open) -> None:
    write(root, {"a.py": "def first(): ...\n"})
    client = opened()
    await crawled(client)
    for file in index_file(root).parent.iterdir():
        file.unlink()

    client.notify("rescan")
    await crawled(client)

    await until(lambda: index_file(root).exists() and indexed(root) == {"a.py"})


async def test_nothing_is_ever_written_into_the_workspace(root: Path, opened: Open) -> None:
    modules(root, 20)
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        folder.chmod(0o555)
    before = sorted((str(path), path.lstat().st_mtime_ns) for path in (root, *root.rglob("*")))

    await crawled(opened())

    assert sorted((str(path), path.lstat().st_mtime_ns) for path in (root, *root.rglob("*"))) == before
    assert len(indexed(root)) == 20
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


async def test_without_a_cache_folder_the_index_is_a_temporary_one(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("DRAGOMAN_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    modules(root, 60)
    client = opened()

    status = await crawled(client)
    assert status["files"] == 60
    assert "session only" in str(status["problem"])
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1
    await client.aclose()

    assert list((tmp_path / "tmp").iterdir()) == []


async def test_with_no_room_at_all_saved_files_are_kept_in_memory(
    root: Path, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRAGOMAN_CACHE_DIR", str(tmp_path / "file"))
    modules(root, 60)
    client = opened(python=limited(tmp_path, 0))

    status = await crawled(client)
    assert status["files"] == 0
    assert "no room" in str(status["problem"])
    client.notify("changed", {"paths": ["package/part0/module_1.py"]})

    assert (await client.call("status"))["files"] == 1


async def test_a_full_disk_is_said_and_survived(
    root: Path, opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    modules(root, 2_000)
    client = opened(python=limited(tmp_path, 300))

    status = await crawled(client)
    assert "cannot be written" in str(status["problem"])
    write(root, {"saved.py": "def saved_on_a_full_disk(): ...\n"})
    client.notify("changed", {"paths": ["saved.py"]})

    assert (await client.call("status"))["problem"]
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 3


# -- many changes ------------------------------------------------------------------------------------------------------


async def test_a_change_of_branch_is_taken_in(root: Path, opened: Open) -> None:
    modules(root, 1_500)
    client = opened()
    await crawled(client)
    for number in range(1_500):
        (root / f"package/part{number // 50}/module_{number}.py").write_text(f"def other_{number}(): ...\n")
    for number in range(0, 1_500, 10):
        client.notify(
            "changed", {"paths": [f"package/part{one // 50}/module_{one}.py" for one in range(number, number + 10)]}
        )
        await client.call("status")

    await crawled(client)

    assert all(defined(root, f"other_{number}") for number in range(0, 1_500, 37))
    assert not defined(root, "function_7")


async def test_files_are_watched_where_the_editor_does_not(root: Path, opened: Open) -> None:
    write(root, {"a.py": "def first(): ...\n", ".gitignore": "out\n", "out/x.py": ""})
    client = opened(watch=True)
    assert (await crawled(client))["watching"]
    # The watch begins beside the crawl; what is written before is the crawl's.
    await asyncio.sleep(0.3)

    write(root, {"b/c.py": "def second(): ...\n", "out/y.py": "def ignored(): ...\n"})
    await until(lambda: defined(root, "second"))
    (root / "a.py").unlink()
    await until(lambda: "a.py" not in indexed(root))

    assert not defined(root, "ignored")


# -- the line between them ---------------------------------------------------------------------------------------------


async def test_open_documents_stand_before_their_files_but_not_when_they_are_ignored(
    root: Path, opened: Open, tmp_path: Path
) -> None:
    write(root, {"a.py": "", ".gitignore": "private.py\n"})
    client = opened(python=echoing(tmp_path))
    await client.start()
    client.notify("overlay", {"path": "a.py", "text": "def unsaved(): ...\n\ud800"})
    client.notify("overlay", {"path": "private.py", "text": "x = 1"})
    client.notify("overlay", {"path": ".env", "text": "KEY=1"})
    client.notify("overlay", {"path": "../elsewhere.py", "text": "x = 1"})

    assert await client.call("overlays") == {"a.py": ["def unsaved(): ...\n\ud800", ["unsaved"]]}
    client.notify("overlay", {"path": "a.py", "text": None})
    assert await client.call("overlays") == {}


async def test_a_cancelled_question_leaves_nothing_and_is_not_even_asked(
    root: Path, opened: Open, tmp_path: Path
) -> None:
    client = opened(python=echoing(tmp_path))
    await client.call("asked")
    slow = asyncio.create_task(client.call("sleep", {"seconds": 0.3}))
    unwanted = asyncio.create_task(client.call("overlays"))
    await asyncio.sleep(0.1)

    slow.cancel()
    unwanted.cancel()
    await asyncio.wait([slow, unwanted])

    assert await client.call("asked") == ["asked", "sleep", "asked"]
    assert not client._pending
    assert not client._outbox


async def test_a_slow_answer_and_an_unknown_question_are_typed_errors(root: Path, opened: Open, tmp_path: Path) -> None:
    client = opened(python=echoing(tmp_path))
    await client.call("asked")

    with pytest.raises(IndexUnavailableError, match="within"):
        await client.call("sleep", {"seconds": 0.5}, timeout=0.05)
    with pytest.raises(WorkspaceIndexError, match="no_such"):
        await client.call("no_such")


async def test_a_stray_print_breaks_nothing(root: Path, opened: Open, tmp_path: Path) -> None:
    client = opened(python=echoing(tmp_path))

    assert await client.call("print") == ""


async def test_an_index_that_does_not_read_costs_neither_time_nor_memory(
    root: Path, opened: Open, tmp_path: Path
) -> None:
    client = opened(python=echoing(tmp_path))
    await client.call("asked")
    process = processes(root)[0]
    process.suspend()
    text = "x = 1\n" * 20_000

    for number in range(500):
        client.notify("overlay", {"path": f"{number % 5}.py", "text": f"{text}{number}"})
        client.notify("changed", {"paths": [f"{number}.py"]})
    assert len(client._outbox) <= 6
    process.resume()
    seen = await client.call("overlays")

    assert {path: text.rpartition("\n")[2] for path, (text, _) in seen.items()} == {
        f"{number}.py": str(495 + number) for number in range(5)
    }
