"""The peer that speaks LSP and completes: tabby-agent from npm, with a small stand-in for the Tabby server behind it.

Version 1.5.0 is the newest that npm has. It answers `textDocument/completion` and knows no inline completion.
It waits before it asks (480 ms at a line's end until it has learned the user's rhythm); its settings can fix that at 0,
so that the way of a key can be compared without anybody's debounce.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from tests.support import tools
from tests.support.fake_http import Connection, Request
from tests.support.fake_model import Exchange, FakeModel

VERSION = "1.5.0"

CONFIG = """
[server]
endpoint = "{url}"

[logs]
level = "silent"

[anonymousUsageTracking]
disable = true
"""
WITHOUT_DEBOUNCE = """
[completion.debounce]
mode = "fixed"
interval = 0
"""


class FakeTabby(FakeModel):
    """Answers as a Tabby server does: its health, and one whole completion at once."""

    async def _serve(self, request: Request, connection: Connection, exchange: Exchange) -> None:
        if request.path == "/v1/completions":
            segments = request.json()["segments"]
            exchange.prefix, exchange.suffix = segments["prefix"], segments.get("suffix") or ""
            answer = {"id": f"cmpl-{exchange.number}", "choices": [{"index": 0, "text": self.script.text}]}
            exchange.first_token = time.monotonic()
            exchange.tokens = 1
            await connection.send_json(answer)
        elif request.path == "/v1/health":
            version = {"build_date": "", "build_timestamp": "", "git_sha": "", "git_describe": "v0.12.0"}
            machine = {"arch": "x86_64", "cpu_info": "", "cpu_count": 2, "cuda_devices": [], "device": "cpu"}
            await connection.send_json({"model": "fake-coder", "version": version, **machine})
        else:
            await connection.send_json({})


def prepare(folder: Path, url: str, *, debounce: bool) -> dict[str, str]:
    """Write the agent's settings into a home folder of its own and return its environment."""
    config = folder / ".tabby-client" / "agent" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG.format(url=url) + ("" if debounce else WITHOUT_DEBOUNCE), encoding="utf-8")
    return {"HOME": str(folder), "USERPROFILE": str(folder)}


def tabby_agent(*, install: bool = True) -> list[str] | None:
    """Return the command of the pinned tabby-agent, installed once into the cache; None when it is not to be had."""
    folder = tools.TOOLS / f"tabby-agent-{VERSION}"
    script = folder / "node_modules" / "tabby-agent" / "dist" / "cli.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None or not install:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--silent", "--ignore-scripts", "--prefix", str(folder), f"tabby-agent@{VERSION}"],
            check=False,
            capture_output=True,
        )
        if done.returncode:
            return None
    return [shutil.which("node") or "node", str(script), "--lsp"]
