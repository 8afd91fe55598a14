"""M11: from the start of the process to the reply to ``initialize``, beside plain pygls and tabby-agent.

    python -m tests.bench.startup [--rounds 5] [--runs 6] [--quick] [--json]

Subjects are interleaved A-B-C-C-B-A; a subject's figure is the median of its rounds' medians, with the range of those.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import tabby
from tests.bench.report import Row, Run, Table, parser, plain, ranged

TABLE = Table(
    intro="""
Start of the process to the reply to `initialize`; milliseconds, median of five rounds' medians with their range.
""",
    columns={"server": plain("subject"), "milliseconds": ranged("ms")},
)

PLAIN = """
from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("plain", "1")

@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
def complete(params): return []

server.start_io()
"""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"processId": os.getpid(), "rootUri": None, "clientInfo": {"name": "bench"}, "capabilities": {}},
}


@dataclass
class Subject:
    name: str
    command: list[str]
    rounds: list[float] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser(__doc__, rounds=5, runs=6).parse_args(argv)
    if arguments.quick:
        arguments.rounds = arguments.runs = 1
    run = Run("startup", TABLE, arguments)
    run.finish(compare(arguments))
    return 0


def compare(arguments: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.py"
        plain.write_text(PLAIN, encoding="utf-8")
        subjects = [
            Subject("Dragoman", [sys.executable, "-m", "dragoman", "lsp", "--stdio"]),
            Subject("plain pygls 2.1.1", [sys.executable, str(plain)]),
        ]
        if arguments.quick:
            pass  # A quick run installs nothing.
        elif (agent := tabby.tabby_agent()) is not None:
            subjects.append(Subject(f"tabby-agent {tabby.VERSION}", [*agent, "--stdio"]))
        else:
            print("tabby-agent is left out: npm did not install it", file=sys.stderr)
        for subject in subjects:
            measure(subject)
        for index in range(arguments.rounds):
            order = subjects if index % 2 == 0 else list(reversed(subjects))
            for subject in order:
                subject.rounds.append(statistics.median(measure(subject) for _ in range(arguments.runs)))
    return [
        {
            "subject": subject.name,
            "ms": round(statistics.median(subject.rounds), 1),
            "ms_min": round(min(subject.rounds), 1),
            "ms_max": round(max(subject.rounds), 1),
            "rounds": arguments.rounds,
            "runs": arguments.runs,
        }
        for subject in subjects
    ]


def measure(subject: Subject) -> float:
    """Return milliseconds from the start of the process to its reply."""
    body = json.dumps(INITIALIZE).encode()
    started = time.perf_counter()
    process = subprocess.Popen(
        subject.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        process.stdin.flush()
        while True:
            length = 0
            while line := process.stdout.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line[15:])
            if not length:
                raise RuntimeError(f"{subject.name} ended without a reply")
            if json.loads(process.stdout.read(length)).get("id") == 1:
                return (time.perf_counter() - started) * 1000
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


if __name__ == "__main__":
    sys.exit(main())
