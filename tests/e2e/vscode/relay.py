"""Stands between an editor and a language server, passes everything on and writes each message into a file.

`python relay.py RECORD PROGRAM [ARGUMENT…]`: one JSON line a message, `{"from": "client" | "server", "message": …}`,
preceded by `{"pid": …}` of the server. It ends with the server, and the server with it.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any


def copy(source: IO[bytes], sink: IO[bytes], who: str, record: "Record") -> None:
    """Pass messages on until the source ends; the sink's end is not an error of ours."""
    try:
        while header := read_header(source):
            body = source.read(header[1])
            sink.write(header[0] + body)
            sink.flush()
            record.add({"from": who, "message": json.loads(body)})
        sink.close()
    except (BrokenPipeError, ValueError, OSError):
        return


def read_header(source: IO[bytes]) -> tuple[bytes, int] | None:
    """Return a message's header and the length of its body, or None at the end."""
    raw, length = b"", 0
    while line := source.readline():
        raw += line
        if line in {b"\r\n", b"\n"}:
            return raw, length
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    return None


class Record:
    """A file of JSON lines that several threads append to."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def add(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()


def main() -> None:
    record = Record(Path(sys.argv[1]))
    server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin
    assert server.stdout
    record.add({"pid": server.pid})
    threading.Thread(target=copy, args=(sys.stdin.buffer, server.stdin, "client", record), daemon=True).start()
    copy(server.stdout, sys.stdout.buffer, "server", record)
    code = server.wait()
    record.add({"ended": code})
    # The other thread still waits for the editor; nothing is left to say to it.
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
