"""Half a minute after an acceptance: whether its text is still there, whatever happened around it."""

from __future__ import annotations

import asyncio

import pytest

from dragoman.completion import acceptance
from dragoman.completion.acceptance import AcceptanceTracker
from dragoman.lsp.documents import Change
from dragoman.monitoring.usage import Event
from tests.support.screen import URI, Screen


def taken(text: str = "total = sum(values)\n    return total / len(values)") -> Screen:
    screen = Screen("import os\n\n\ndef mean(values):\n    █\n\n\ndef other():\n    pass\n")
    screen.show(text)
    screen.insert(text)
    return screen


def test_undo_removes_it() -> None:
    screen = taken()
    screen.remove((4, 4), (screen.line, screen.character))

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.fates == {"removed": 1}


def test_lines_above_and_below_move_it() -> None:
    screen = taken()
    screen.edit(Change("import sys\n" * 50, (0, 0), (0, 0)))
    screen.edit(Change("", (0, 0), (3, 0)), Change("# end\n", (60, 0), (60, 0)))

    assert screen.fates == {"survived": 1}


def test_a_changed_word_is_an_edit() -> None:
    screen = taken()
    screen.edit(Change("average", (5, 11), (5, 16)))

    assert screen.fates == {"edited": 1}


def test_half_of_it_gone_is_removed() -> None:
    screen = taken()
    screen.edit(Change("pass", (4, 4), (5, 25)))

    assert screen.fates == {"removed": 1}


def test_a_formatter_that_replaces_everything_only_moves_it() -> None:
    screen = taken()
    screen.replace_all(
        '"""A module."""\n\nimport os\n\n\ndef mean(values):\n  total = sum( values )\n  return total/len(values)\n\n'
    )

    assert screen.fates == {"survived": 1}


def test_a_formatter_does_not_hide_a_removal() -> None:
    screen = taken()
    screen.replace_all("import os\n\n\ndef mean(values):\n    raise NotImplementedError\n\n\ndef other():\n    pass\n")

    assert screen.fates == {"removed": 1}


def test_text_behind_it_on_the_line_is_no_edit() -> None:
    screen = taken()
    screen.insert("  # the mean")

    assert screen.fates == {"survived": 1}


def test_a_closed_document_tells_nothing() -> None:
    screen = taken()
    screen.tracker.document_closed(URI)

    assert screen.ends == {"shown": 1, "whole": 1}
    assert screen.fates == {"unknown": 1}


async def test_the_end_leaves_nothing_uncounted_and_nothing_running() -> None:
    screen = taken()
    screen.show("more")
    await screen.tracker.aclose()
    await screen.tracker.aclose()
    screen.show("even more")

    assert screen.ends == {"shown": 2, "whole": 1}
    assert screen.fates == {"unknown": 1}


async def test_one_timer_judges_without_further_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "SURVIVAL_S", 0.05)
    monkeypatch.setattr(acceptance, "VERDICT_GRACE_S", 0.02)
    events: list[Event] = []
    tracker = AcceptanceTracker(events.append)
    screen = Screen("x = █\n", tracker)
    for text in ("one()", "two()", "three()"):
        screen.show(text)
        screen.insert(text)
    screen.show("four")
    screen.insert("Q")
    async with asyncio.timeout(20):
        while tracker.watched_count or tracker.open_count:
            await asyncio.sleep(0.01)

    facts = [event.fact for event in events]
    assert facts.count("survived") == facts.count("whole") == 3
    assert facts.count("rejected") == 1
    assert len(asyncio.all_tasks()) == 1
    await tracker.aclose()
