"""The script that every subject of M9 plays, and the lines by which it is led. Standard library only: peers have nothing else.

An order: ``{"do": "steps", "steps", "calls", "runs"}``, ``{"do": "pause", "runs"}`` or ``{"do": "go_on"}``; a reply:
``{"cpu"}`` in seconds of the process, with its ``tasks`` and ``threads`` and the ``ended`` runs.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import time
from typing import Any, Protocol

TASK = "Look at everything and say what is there."
SYSTEM = "You look at things."
ANSWER = "All of it was looked at, and all is well."
LOOKS = 3
"""Calls before the one that asks a person."""
_LINE = "def function_{}(argument):  # what a small file has\n    return argument + 1\n"


def arguments(turn: int, call: int) -> dict[str, int]:
    """Return what the call of a turn carries; no two are alike."""
    return {"n": 1_000 * turn + call}


def seen(n: int) -> str:
    """Return what the tool answers: some 300 characters."""
    return "".join(_LINE.format(n + line) for line in range(4))


class Subject(Protocol):
    """An agent runtime behind the script."""

    async def run(self, steps: int, calls: int) -> str:
        """Make a run of so many answers with so many calls each, then a last answer without; returns that."""
        ...

    async def pause(self) -> None:
        """Begin a run that looks ``LOOKS`` times and then asks a person; returns when it waits."""
        ...

    async def go_on(self) -> int:
        """Say yes to every run that waits, and return how many came to their answer."""
        ...


async def _follow(subject: Subject, order: dict[str, Any]) -> int:
    ended = 0
    match order["do"]:
        case "steps":
            for _ in range(order["runs"]):
                ended += await subject.run(order["steps"], order["calls"]) == ANSWER
        case "pause":
            for _ in range(order["runs"]):
                await subject.pause()
        case "go_on":
            ended = await subject.go_on()
    return ended


async def _serve(subject: Subject, say: Any) -> None:
    say({"ready": True})
    for line in sys.stdin:
        gc.collect()
        began = time.process_time()
        ended = await _follow(subject, json.loads(line))
        cpu = time.process_time() - began
        await asyncio.sleep(0)
        gc.collect()
        say({"cpu": cpu, "ended": ended, "tasks": len(asyncio.all_tasks()) - 1, "threads": threading.active_count()})


def serve(subject: Subject) -> None:
    """Follow orders until the input ends."""
    # What a library prints must not stand between two replies.
    replies, sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8"), sys.stderr
    os.dup2(2, 1)

    def say(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    asyncio.run(_serve(subject, say))
