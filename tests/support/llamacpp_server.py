"""A real llama.cpp server with real weights in a process of its own, for tests.

``python -m tests.support.llamacpp_server --model FILE`` prints ``{"port": …, "url": …}`` when it can answer, and ends
when its stdin ends, however its parent died. `running` starts one and stops it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

START_LIMIT_S = 120.0
PROJECT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def running(
    model: Path, *, slots: int = 1, context: int = 2048, api_key: str | None = None, embeddings: bool = False
) -> Iterator[str]:
    """Run a server on ``model`` and yield its root address; raises RuntimeError when it does not start."""
    command = [sys.executable, "-m", "tests.support.llamacpp_server", "--model", str(model)]
    command += ["--slots", str(slots), "--context", str(context)]
    if embeddings:
        command.append("--embeddings")
    if api_key:
        command += ["--api-key", api_key]
    # Threads that spin at barriers starve everything else on a machine with two cores.
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(START_LIMIT_S, process.kill)
        watchdog.start()
        try:
            line = process.stdout.readline()
        finally:
            watchdog.cancel()
        try:
            if not line:
                raise RuntimeError(f"the llama.cpp server ended before it answered, with code {process.wait()}")
            yield json.loads(line)["url"]
        finally:
            process.stdin.close()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description="A real llama.cpp server for tests.")
    parser.add_argument("--model", required=True)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--api-key")
    parser.add_argument(
        "--embeddings", action="store_true", help="make vectors only, as llama-server --embeddings does"
    )
    arguments = parser.parse_args()
    report = os.fdopen(os.dup(1), "w")
    # The engine writes to the standard streams whatever it is told.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = arguments.model
    parameters.n_ctx = arguments.context * arguments.slots
    parameters.n_parallel = arguments.slots
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.n_batch = parameters.n_ubatch = 64
    parameters.endpoint_slots = True
    if arguments.embeddings:
        parameters.embedding = True
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    parameters.warmup = False
    parameters.port = _free_port()
    if arguments.api_key:
        parameters.api_keys = [arguments.api_key]
    server = xllamacpp.Server(parameters)
    address = server.listening_address
    report.write(json.dumps({"port": int(address.rpartition(":")[2]), "url": address}) + "\n")
    report.flush()
    sys.stdin.buffer.read()
    # Its threads do not end by themselves while a generation runs.
    os._exit(0)


if __name__ == "__main__":
    main()
