"""M0: a suggestion while you type. 60 keys, 80 ms apart; the model answers after 300 ms.

    python -m tests.bench.burst [--rounds 5] [--json]

(a) a perfect model: at how many of the 59 keys behind the first was the right suggestion there before the next key,
and how many requests did the model get?
(b) a model that is never right: how many requests, how many at once, and was every request of the editor answered?
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.fake_editor import DRAGOMAN, FakeEditor
from tests.support.fake_model import FakeModel, Script

BEFORE = "import math\n\n\n"
TYPED = "def area(radius): return math.pi * radius * radius + offset(1)"[:60]
AFTER = " * scale\n"
KEY_S = 0.08
URI = "file:///w/burst.py"

CONFIG = """
[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
max_concurrency = 1
models = [{{ name = "fake-coder", roles = ["completion"], fim = "qwen" }}]
"""


async def burst(*, perfect: bool) -> dict[str, Any]:
    script = Script(models=["fake-coder"], first_token_delay=0.3)
    if perfect:
        script.oracle = BEFORE + TYPED + AFTER
    else:
        script.text = "zqx(never) = wrong\n"
    async with FakeModel(script) as model:
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "config.toml"
            config.write_text(CONFIG.format(url=model.url), encoding="utf-8")
            editor = await FakeEditor.launch(command=[*DRAGOMAN, "--config", str(config)])
            try:
                return await _type(editor, model, perfect=perfect)
            finally:
                await editor.kill()


async def _type(editor: FakeEditor, model: FakeModel, *, perfect: bool) -> dict[str, Any]:
    await editor.initialize()
    editor.open(URI, BEFORE)
    await editor.await_status(lambda status: status["state"] == "ready")
    line = BEFORE.count("\n")
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Task[Any]] = []
    there = 0
    begun = loop.time()
    for index, key in enumerate(TYPED):
        await asyncio.sleep(max(0.0, begun + index * KEY_S - loop.time()))
        editor.change(URI, 2 + index, (line, index, line, index, key))
        request = editor.request("textDocument/inlineCompletion", editor.inline_params(URI, line, index + 1))
        answers.append(asyncio.create_task(editor.await_reply(request)))
        await asyncio.sleep(max(0.0, begun + (index + 1) * KEY_S - 0.005 - loop.time()))
        if index and answers[-1].done() and _right(answers[-1].result(), (TYPED + AFTER)[index + 1 :]):
            there += 1
    await asyncio.wait(answers, timeout=10)
    return {
        "bench": "burst",
        "model": "perfect" if perfect else "never right",
        "keys": len(TYPED) - 1,
        "there": there,
        "requests": len(model.generations),
        "max_in_flight": model.max_in_flight,
        "asked": len(answers),
        "answered": sum(answer.done() for answer in answers),
    }


def _right(reply: dict[str, Any], rest: str) -> bool:
    items = reply.get("result", {}).get("items", [])
    return bool(items) and rest.startswith(items[0]["insertText"].rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for perfect in (True, False):
        rounds = [asyncio.run(burst(perfect=perfect)) for _ in range(arguments.rounds)]
        row = dict(rounds[0])
        for key in ("there", "requests", "max_in_flight", "answered"):
            values = [one[key] for one in rounds]
            row |= {key: statistics.median(values), f"{key}_min": min(values), f"{key}_max": max(values)}
        row["load"] = round(os.getloadavg()[0], 2)
        if arguments.json:
            print(json.dumps(row))
        else:
            print(
                f"{row['model']:12} suggestion there at {row['there']:g} of {row['keys']} keys, "
                f"{row['requests']:g} model requests ({row['requests_min']}–{row['requests_max']}), "
                f"at most {row['max_in_flight_max']} at once, {row['answered']:g} of {row['asked']} requests answered"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
