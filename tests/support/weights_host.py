"""A small file server that can be slow, cut a transfer, or refuse; and wheels and models to serve."""

from __future__ import annotations

import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dragoman.models.weights import ModelEntry, WheelPart


@dataclass
class FileHost:
    """What the server serves and how it misbehaves; ``requests`` is what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of each request."""
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next transfers of files are cut, one entry used up by each."""
    status: int | None = None
    ignore_range: bool = False
    slice_bytes: int = 64 * 1024
    stall: dict[str, threading.Event] = field(default_factory=dict)
    """A transfer of such a path stops half way until the event is set."""
    stalled: threading.Event = field(default_factory=threading.Event)
    pause: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def add_index(self, wheels: dict[str, Path]) -> None:
        """Serve wheels as a package index below ``/simple/``."""
        for project, wheel in wheels.items():
            self.files[f"/wheels/{wheel.name}"] = wheel.read_bytes()
            page = f'<!DOCTYPE html><html><body><a href="/wheels/{wheel.name}">{wheel.name}</a></body></html>'
            self.files[f"/simple/{project}/"] = page.encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    host: FileHost
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        host = self.host
        wanted = self.headers.get("Range", "")
        host.requests.append((self.path, wanted))
        body = host.files.get(self.path)
        if host.status is not None or body is None:
            self.send_response(host.status or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if wanted and not host.ignore_range:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        is_page = self.path.endswith("/")
        self.send_header("Content-Type", "text/html" if is_page else "application/octet-stream")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = len(body)
        if not is_page and host.cut_after:
            end = min(end, start + host.cut_after.pop(0))
        self._send(body, start, end)
        if end < len(body):
            self.close_connection = True
            self.connection.close()

    def _send(self, body: bytes, start: int, end: int) -> None:
        host = self.host
        stall = host.stall.get(self.path)
        try:
            while start < end:
                if stall is not None and start >= len(body) // 2:
                    host.stalled.set()
                    stall.wait(60)
                self.wfile.write(body[start : min(end, start + host.slice_bytes)])
                start += host.slice_bytes
                if host.pause and not self.path.endswith("/"):
                    host.ended.wait(host.pause)
        except OSError:
            self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that leave: the tests make them."""


@contextmanager
def serve_files() -> Iterator[FileHost]:
    """Run a server on a free port of the loopback address."""
    host = FileHost()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"host": host}))
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield host
    finally:
        host.ended.set()
        for stall in host.stall.values():
            stall.set()
        server.shutdown()
        server.server_close()
        thread.join()


def make_wheel(folder: Path, project: str, number: int, piece: bytes) -> tuple[Path, WheelPart]:
    """Write a wheel ``PROJECT-partN`` that holds the piece, as the real ones do, and return it with its description."""
    name, package = f"{project}-part{number}", f"{project}_part{number}".replace("-", "_")
    wheel = folder / f"{package}-1.0-py3-none-any.whl"
    member = f"{package}/data/part{number:02}.bin"
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as file:
        file.writestr(f"{package}/__init__.py", "raise RuntimeError('this package must never be imported')\n")
        file.writestr(member, piece)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return wheel, WheelPart(name, "1.0", digest, member, wheel.stat().st_size)


def make_content(size: int) -> bytes:
    """Return bytes that look like a GGUF file and differ everywhere."""
    blocks, block = [b"GGUF"], hashlib.sha256(b"start").digest()
    while len(blocks) * 32 < size + 64:
        block = hashlib.sha256(block).digest()
        blocks.append(block)
    return b"".join(blocks)[:size]


def make_entry(content: bytes, *, url: str = "", wheels: tuple[WheelPart, ...] = (), sha256: str = "") -> ModelEntry:
    """Return a manifest entry for the content."""
    return ModelEntry(
        name="tiny-model",
        file="tiny-model-q4.gguf",
        sha256=sha256 or hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        title="Tiny Model",
        author="Nobody",
        licence="Apache-2.0",
        home="https://example.org/tiny",
        url=url,
        wheels=wheels,
    )
