"""M0: a suggestion while you type. 60 keys, 80 ms apart; the model answers after 300 ms.

    python -m tests.bench.burst [--rounds 5] [--json]

(a) a perfect model: at how many of the 59 keys behind the first was the right suggestion there before the next key,
and how many requests did the model get?
(b) a model that is never right: how many requests, how many at once, and was every request of the editor answered?
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from tests.bench import tabby
from tests.bench.report import Row, Run, Table, parser, plain, ranged
from tests.bench.subjects import Subject, running
from tests.support.fake_model import Script

BEFORE = "import math\n\n\n"
TYPED = "def area(radius): return math.pi * radius * radius + offset("
AFTER = "1) * scale\n"
KEY_S = 0.08
URI = "file:///w/burst.py"

TABLE = Table(
    intro="""
60 keys, 80 ms apart, all settings at their defaults; the model answers after 300 ms and takes one request at a time.
At how many of the 59 keys behind the first was the right suggestion there before the next key, and after how many requests?
""",
    columns={
        "server": plain("subject"),
        "model": plain("model"),
        "suggestion there": lambda row: f"{ranged('there')(row)} of {row['keys']} keys",
        "model requests": ranged("requests"),
        "most at once": plain("max_in_flight_max"),
        "editor requests answered": lambda row: f"{row['answered']:g} of {row['asked']}",
    },
)

CONFIG = """
[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
max_concurrency = 1
models = [{{ name = "fake-coder", roles = ["completion"], fim = "qwen" }}]
"""


async def burst(key: str, *, perfect: bool, keys: int = len(TYPED)) -> Row:
    script = Script(models=["fake-coder"], first_token_delay=0.3)
    if perfect:
        script.oracle = BEFORE + TYPED + AFTER
    else:
        script.text = "zqx(never) = wrong\n"
    async with running(key, script, CONFIG) as subject:
        return await _type(subject, perfect=perfect, typed=TYPED[:keys])


async def _type(subject: Subject, *, perfect: bool, typed: str) -> Row:
    editor, model = subject.editor, subject.model
    editor.open(URI, BEFORE)
    line = BEFORE.count("\n")
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Task[Any]] = []
    there = 0
    begun = loop.time()
    for index, key in enumerate(typed):
        await asyncio.sleep(max(0.0, begun + index * KEY_S - loop.time()))
        editor.change(URI, 2 + index, (line, index, line, index, key))
        request = editor.request(subject.method, editor.inline_params(URI, line, index + 1))
        answers.append(asyncio.create_task(editor.await_reply(request)))
        await asyncio.sleep(max(0.0, begun + (index + 1) * KEY_S - 0.005 - loop.time()))
        if index and answers[-1].done() and _right(answers[-1].result(), index + 1):
            there += 1
    await asyncio.wait(answers, timeout=10)
    return {
        "subject": subject.name,
        "model": "perfect" if perfect else "never right",
        "keys": len(typed) - 1,
        "there": there,
        "requests": len(model.generations),
        "max_in_flight": model.max_in_flight,
        "asked": len(answers),
        "answered": sum(answer.done() for answer in answers),
    }


def _right(reply: dict[str, Any], at: int) -> bool:
    """Tell whether the first item is what will be typed behind the first ``at`` characters, or goes on from a word of them."""
    result = reply.get("result") or []
    items = result if isinstance(result, list) else result.get("items", [])
    if not items:
        return False
    edit = items[0].get("textEdit") or {}
    text = str(edit.get("newText") or items[0].get("insertText") or "").rstrip()
    begin = edit.get("range", {}).get("start", {}).get("character", at)
    return bool(text) and (TYPED + AFTER)[begin:].startswith(text)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__, rounds=5, keys=len(TYPED)).parse_args(argv)
    if arguments.quick:
        arguments.rounds, arguments.keys = 1, min(arguments.keys, 6)
    run = Run("burst", TABLE, arguments)
    subjects = ["dragoman", "floor"] + (["tabby_as_it_comes"] if tabby.tabby_agent() else [])
    run.finish([measure(arguments, key, perfect=perfect) for perfect in (True, False) for key in subjects])
    return 0


def measure(arguments: argparse.Namespace, key: str, *, perfect: bool) -> Row:
    rounds = [asyncio.run(burst(key, perfect=perfect, keys=arguments.keys)) for _ in range(arguments.rounds)]
    row = {**rounds[0], "rounds": len(rounds)}
    for key in ("there", "requests", "max_in_flight", "answered"):
        values = [one[key] for one in rounds]
        row |= {key: statistics.median(values), f"{key}_min": min(values), f"{key}_max": max(values)}
    return row


if __name__ == "__main__":
    sys.exit(main())
