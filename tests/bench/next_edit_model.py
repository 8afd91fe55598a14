"""Can the embedded model make the next edit where no pattern says it? Asked for one line after one example.

    python -m tests.bench.next_edit_model [--quick] [--json]

Two ways of asking: fill-in-the-middle with the recent change in comments, and a unified diff that breaks off where the new line
must come. ``due`` lines need the same change as the example; the others look alike and must stay as they are.
The place is given: who finds it is not measured here. A handful of cases tells a useless way from a usable one, no more.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dragoman import app as root
from dragoman.models.base import CompletionRequest, Model
from tests.bench.report import Row, Run, Table, parser, plain
from tests.support.weights import find_weights


class Case(NamedTuple):
    """A change of ``old`` into ``new``, and a line ``here`` that is to become ``wanted``."""

    before: str
    old: str
    new: str
    here: str
    wanted: str
    after: str = "\n"


CASES = (
    Case(
        "import logging\n",
        "print('loading', path)",
        "log.info('loading %s', path)",
        "print('done', n)",
        "log.info('done %s', n)",
    ),
    Case(
        "def __init__(self, x, y):\n",
        "    self.x = x",
        "    self.x = float(x)",
        "    self.y = y",
        "    self.y = float(y)",
    ),
    Case("def area(w, h): ...\n", "a = area(1, 2)", "a = area(w=1, h=2)", "b = area(3, 4)", "b = area(w=3, h=4)"),
    Case("def a(x):\n", "    if x == None:", "    if x is None:", "    if y == None:", "    if y is None:"),
    Case(
        "import os\n", "a = os.path.join(base, 'a')", "a = base / 'a'", "b = os.path.join(base, 'b')", "b = base / 'b'"
    ),
    Case("", "n = '%s %s' % (first, last)", "n = f'{first} {last}'", "s = '%s: %d' % (n, c)", "s = f'{n}: {c}'"),
    Case(
        "def fetch(url, timeout): ...\n", "fetch('a')", "fetch('a', timeout=5)", "fetch('b')", "fetch('b', timeout=5)"
    ),
    Case(
        "class A: ...\n",
        "def f(a): return a[0]",
        "def f(a: A): return a[0]",
        "def g(a): return a[1]",
        "def g(a: A): return a[1]",
    ),
    Case("", "var a = m.get('a');", "const a = m.get('a');", "var b = m.get('b');", "const b = m.get('b');"),
    Case("", "assert.equal(f(1), 3);", "expect(f(1)).toBe(3);", "assert.equal(f(2), 4);", "expect(f(2)).toBe(4);"),
    Case("", "x = dict()", "x = {}", "y = list()", "y = []"),
    Case(
        "",
        "except Exception as e:",
        "except ValueError as e:",
        "except Exception as error:",
        "except ValueError as error:",
    ),
    Case("def a(x):\n", "    if x == None:", "    if x is None:", "    if y == 3:", "    if y == 3:"),
    Case("", "print('loading', path)", "log.info('loading %s', path)", "log.info('done')", "log.info('done')"),
    Case("", "a = os.path.join(base, 'a')", "a = base / 'a'", "b = ', '.join(names)", "b = ', '.join(names)"),
    Case("", "fetch('a')", "fetch('a', timeout=5)", "fetch('b', timeout=9)", "fetch('b', timeout=9)"),
    Case("", "x = dict()", "x = {}", "y = dict(a=1)", "y = dict(a=1)"),
    Case("", "var a = m.get('a');", "const a = m.get('a');", "let b = m.get('b');", "let b = m.get('b');"),
)

TABLE = Table(
    intro="""
The embedded model asked for the new text of one line after one example of the change, the place being given.
""",
    columns={
        "way of asking": plain("way"),
        "due lines made": lambda row: f"{row['made']} of {row['due']}",
        "other lines left alone": lambda row: f"{row['left']} of {row['others']}",
        "median": lambda row: f"{row['seconds_p50']:.1f} s",
    },
)


def request(way: str, case: Case) -> CompletionRequest:
    if way == "diff":
        text = f"--- a/file\n+++ b/file\n-{case.old}\n+{case.new}\n-{case.here}\n+"
        return CompletionRequest(text, max_tokens=48, stop=("\n",))
    notes = f"# Changed:\n# - {case.old.strip()}\n# + {case.new.strip()}\n# The same here:\n# - {case.here.strip()}\n"
    indentation = case.here[: len(case.here) - len(case.here.lstrip())]
    prefix = f"{case.before}{case.new}\n{notes}{indentation}"
    return CompletionRequest(
        f"<|fim_prefix|>{prefix}<|fim_suffix|>\n{case.after}<|fim_middle|>", max_tokens=48, stop=("\n",)
    )


async def ask(model: Model, way: str, case: Case) -> tuple[str, float]:
    begun = time.monotonic()
    text = "".join([chunk.text async for chunk in model.complete(request(way, case))])
    return text.strip(), time.monotonic() - begun


async def measure(cases: Sequence[Case]) -> list[Row]:
    app = root.build()
    try:
        await app.models.refresh()
        source, info = await app.models.source_for("completion")
        model = app.models.model(source, info)
        rows = []
        for way in ("fill in the middle", "diff"):
            answers = [(case, *(await ask(model, way, case))) for case in cases]
            due = [(case, text) for case, text, _ in answers if case.here != case.wanted]
            others = [(case, text) for case, text, _ in answers if case.here == case.wanted]
            rows.append(
                {
                    "way": way,
                    "model": info.name,
                    "due": len(due),
                    "made": sum(text == case.wanted.strip() for case, text in due),
                    "others": len(others),
                    "left": sum(text == case.wanted.strip() for case, text in others),
                    "seconds_p50": round(sorted(seconds for *_, seconds in answers)[len(answers) // 2], 2),
                }
            )
        return rows
    finally:
        await app.aclose()


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__ or "").parse_args(argv)
    folder: Path = find_weights()
    os.environ["DRAGOMAN_DATA_DIR"] = str(folder)
    run = Run("next_edit_model", TABLE, arguments)
    run.finish(asyncio.run(measure(CASES[:2] if arguments.quick else CASES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
