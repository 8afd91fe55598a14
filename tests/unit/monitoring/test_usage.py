"""Counts on disk: nothing is lost between servers, nothing grows without end, and no broken file or disk gets in the way."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.limits import USAGE_DAYS, USAGE_ROWS_PER_DAY
from dragoman.monitoring import usage_store
from dragoman.monitoring.usage import FACTS, OTHER, Event, Usage, summarise
from dragoman.monitoring.usage_recorder import UsageRecorder, weigh
from dragoman.monitoring.usage_store import UsageStore

TODAY = date(2026, 3, 1)


def store_in(folder: Path, today: date = TODAY) -> UsageStore:
    return UsageStore(folder, lambda: today)


def counted(*events: Event, day: str = "2026-03-01") -> Usage:
    usage = Usage()
    for event in events:
        usage.add(day, event)
    return usage


# -- sums --------------------------------------------------------------------------------------------------------------


def test_shares_are_of_what_they_are_shares_of() -> None:
    sums = summarise(
        {
            "shown": 20,
            "whole": 3,
            "line": 1,
            "word": 1,
            "typed": 4,
            "rejected": 10,
            "survived": 3,
            "edited": 1,
            "unknown": 1,
            "calls": 30,
            "from_model": 25,
            "from_cache": 50,
            "from_stream": 25,
        }
    )

    assert (sums["accepted"], sums["open"]) == (5, 1)
    assert (sums["acceptance"], sums["survival"], sums["reuse"]) == (0.25, 0.75, 0.75)
    assert sums["calls_per_100_shown"] == 150.0


def test_shares_of_nothing_are_null() -> None:
    sums = summarise({})

    assert {sums[name] for name in ("acceptance", "survival", "reuse", "calls_per_100_shown")} == {None}
    assert {sums[fact] for fact in FACTS} == {0}


events = st.builds(
    Event, st.sampled_from(FACTS), st.sampled_from(["python", "go", ""]), st.text(max_size=3), st.integers(0, 9)
)


@given(st.lists(st.tuples(st.sampled_from(["2026-01-01", "2026-01-02"]), events)), st.integers(0, 20))
def test_parts_add_up_to_the_whole_and_survive_a_file(counted: list[tuple[str, Event]], cut: int) -> None:
    whole, one, other = Usage(), Usage(), Usage()
    for number, (day, event) in enumerate(counted):
        whole.add(day, event)
        (one if number < cut else other).add(day, event)
    one.merge(other)

    assert one.as_dict() == whole.as_dict()
    assert Usage.from_dict(json.loads(json.dumps(whole.as_dict()))).as_dict() == whole.as_dict()
    assert sum(sum(row.values()) for row in whole.by("language").values()) == sum(whole.total().values())


def test_a_day_has_a_bounded_number_of_rows_and_names_a_bounded_length() -> None:
    usage = counted(*(Event("shown", f"language {number}", "m" * 10_000) for number in range(1_000)))

    assert len(usage.rows) <= USAGE_ROWS_PER_DAY + 1
    assert usage.total()["shown"] == 1_000
    assert usage.rows["2026-03-01", OTHER, OTHER]["shown"] > 700
    assert len(json.dumps(usage.as_dict())) < 60_000


# -- the file ----------------------------------------------------------------------------------------------------------


def test_what_is_added_is_read_again(tmp_path: Path) -> None:
    store = store_in(tmp_path / "not there yet")
    assert not store.read()
    assert not store.path.parent.exists()
    store.add(counted(Event("shown", "python", "m", 2)))
    store.add(counted(Event("shown", "python", "m"), Event("whole", "python", "m")))

    assert store.read().as_dict() == {"2026-03-01": {"python": {"m": {"shown": 3, "whole": 1}}}}
    assert store.path.stat().st_mode & 0o077 == 0
    assert store.reset() is True
    assert store.reset() is False
    assert not store.read()


def test_old_days_go(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for back in (USAGE_DAYS + 5, USAGE_DAYS, USAGE_DAYS - 1, 0):
        store.add(counted(Event("shown", "python"), day=(TODAY - timedelta(days=back)).isoformat()))

    assert list(store.read().by("day")) == [(TODAY - timedelta(days=USAGE_DAYS - 1)).isoformat(), "2026-03-01"]


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "3", "\xff\xfe", '{"version": 2, "days": {}}', '{"version": 1}', "[" * 100_000),
        *('{"version": 1, "days": {"d": 3}}', '{"version": 1, "days": {"d": {"l": {"m": {"shown": "3"}}}}}'),
    ],
)
def test_a_file_that_makes_no_sense_is_set_aside_once(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_in(tmp_path)
    store.path.write_bytes(content.encode("latin-1"))
    for _ in range(3):
        store.add(counted(Event("shown", "python")))

    assert store.read().total()["shown"] == 3
    assert (tmp_path / "usage.json.broken").read_bytes() == content.encode("latin-1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_facts_of_a_newer_version_are_kept(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.path.write_text('{"version": 1, "days": {"2026-03-01": {"python": {"m": {"liked": 4}}}}}')
    store.add(counted(Event("shown", "python", "m")))

    assert store.read().total() == {"liked": 4, "shown": 1}


ADD = """
import sys
from datetime import date
from pathlib import Path
from dragoman.monitoring.usage import Event, Usage
from dragoman.monitoring.usage_store import UsageStore

store = UsageStore(Path(sys.argv[1]), lambda: date(2026, 3, 1))
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    usage = Usage()
    usage.add("2026-03-01", Event("shown", "python", sys.argv[2]))
    usage.add("2026-03-01", Event("whole", "python"))
    store.add(usage)
"""


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ADD, str(tmp_path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=120)

    assert [process.returncode for process in processes] == [0, 0]
    usage = store_in(tmp_path).read()
    assert usage.total() == {"shown": 120, "whole": 120}
    assert {name: counts["shown"] for name, counts in usage.by("model").items()} == {"one": 60, "two": 60, "": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["usage.json", "usage.json.lock"]


def test_a_lock_that_is_not_let_go_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_store, "USAGE_LOCK_S", 0.05)
    store = store_in(tmp_path)
    with store._lock(), pytest.raises(OSError, match="locked"):
        store.add(counted(Event("shown", "python")))
    store.add(counted(Event("shown", "python")))

    assert store.read().total()["shown"] == 1


# -- the recorder ------------------------------------------------------------------------------------------------------


async def until(true) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_counts_are_written_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    recorder = UsageRecorder(store, every=0.02)
    recorder.record(Event("shown", "python", "m"))
    await until(lambda: store.read().total()["shown"] == 1)
    await until(lambda: not recorder.pending)
    recorder.record(Event("shown", "python", "m", 4))
    await recorder.aclose()
    await recorder.aclose()
    recorder.record(Event("shown", "python", "m"))

    assert store.read().total()["shown"] == 5
    assert len(asyncio.all_tasks()) == 1


async def test_nothing_counted_writes_nothing(tmp_path: Path) -> None:
    recorder = UsageRecorder(store_in(tmp_path / "data"))
    assert await recorder.history() == {}
    await recorder.aclose()

    assert not (tmp_path / "data").exists()


async def test_a_disk_that_cannot_be_written_costs_one_line_and_no_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    store = store_in(tmp_path / "data")
    recorder = UsageRecorder(store, every=0.01)
    for _ in range(5):
        recorder.record(Event("shown", "python", "m"))
        await until(lambda: recorder._timer is None and recorder._writing.done())
    assert await recorder.history() == {}
    assert recorder.pending.total()["shown"] == 5
    (tmp_path / "data").unlink()
    await recorder.aclose()

    assert store.read().total()["shown"] == 5
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "stay in memory" in caplog.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
async def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    store.add(counted(Event("shown", "python", "m", 7)))
    full = tmp_path / "usage.json.new"
    full.symlink_to("/dev/full")
    recorder = UsageRecorder(store, every=0.01)
    recorder.record(Event("shown", "python", "m"))
    await until(lambda: recorder._timer is None and recorder._writing.done())
    assert recorder.pending.total()["shown"] == 1
    assert not full.is_symlink()
    assert store.read().total()["shown"] == 7
    await recorder.aclose()

    assert store.read().total()["shown"] == 8


async def test_history_is_what_was_decided_lately(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for back, taken in ((0, 8), (7, 8), (70, 0)):
        day = (TODAY - timedelta(days=back)).isoformat()
        store.add(counted(Event("whole", "python", "m", taken), Event("rejected", "python", "n", 8), day=day))
    history = await UsageRecorder(store).history()

    assert history["python"] == pytest.approx((12.0, 24.0), rel=0.01)


def test_history_leaves_room_for_today() -> None:
    history = weigh(counted(Event("whole", "go", "m", 4_000), Event("rejected", "go", "m", 4_000)), TODAY)

    assert history == {"go": (25.0, 50.0)}
    assert weigh(counted(Event("typed", "go"), day="2026-03-01"), TODAY) == {}
    assert weigh(counted(Event("whole", "go"), day="no day"), TODAY) == {}
