"""``python -m dragoman.engine --socket …/dragoman-engine-ID.sock --model FILE``: leaves for the background, then serves.

The command returns as soon as the socket answers (exit code 0), another engine holds the lock (3), or the start failed (1).
"""

from __future__ import annotations

import os
import sys

EXIT_FAILED = 1
EXIT_TAKEN = 3


def main() -> int:
    """Fork into the background and wait until the engine answers."""
    # Before any import that could start a thread.
    heard, said = os.pipe()
    child = os.fork()
    if child:
        os.close(said)
        word = os.read(heard, 1)
        return {b"r": 0, b"t": EXIT_TAKEN}.get(word, EXIT_FAILED)
    os.close(heard)
    _serve(said)
    return 0


def _serve(said: int) -> None:
    import argparse
    import asyncio
    import contextlib
    import fcntl
    from pathlib import Path

    from dragoman.engine.front import Front, Plan
    from dragoman.engine.place import Place

    parser = argparse.ArgumentParser(prog="dragoman-engine")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--n-ctx", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=max(1, _usable_cores() // 2))
    parser.add_argument("--available-memory", type=int, default=None, help="bytes; replaces the measured figure")
    options = parser.parse_args()
    os.umask(0o077)
    place = Place(options.socket)

    def say(word: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # Whoever waited may have been killed.
            os.write(said, word)
        os.close(said)

    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(b"t")
        return
    front_plan = Plan(options.model, options.n_ctx, options.threads, options.available_memory)

    async def serve() -> None:
        await Front(place, front_plan).serve(on_listening=lambda: say(b"r"))

    asyncio.run(serve())


def _usable_cores() -> int:
    """Count the cores this process may use, which in a container may be fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Only Linux and a few others know.
        return os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
