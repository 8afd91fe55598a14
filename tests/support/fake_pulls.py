"""How the fake model server downloads models: Ollama's stream of progress, LocalAI's jobs (shapes from their documentation)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.support.fake_http import Connection, Request

if TYPE_CHECKING:
    from tests.support.fake_model import Script

JOB = "0f3f6a52-job"
PULL_PATHS = frozenset({"/api/pull"})
SIZE = 1000
GALLERY = [
    {"name": "qwen2.5-coder-0.5b-instruct", "gallery": {"name": "localai"}},
    {"name": "phi-4", "installed": True},
]


async def pull(script: Script, request: Request, connection: Connection) -> None:
    """Answer ``/api/pull``: ``pull_steps`` steps, then success; for ever when there is no number."""
    name = request.json()["model"]
    await connection.start_stream("application/x-ndjson")

    async def say(value: dict[str, Any]) -> None:
        await connection.send_piece(json.dumps(value).encode() + b"\n")

    await say({"status": "pulling manifest"})
    if script.models and name not in script.models:
        await say({"error": "pull model manifest: file does not exist"})
        await connection.end_stream()
        return
    step = 0
    while script.pull_steps is None or step < script.pull_steps:
        done = SIZE * step // (script.pull_steps or 10_000)
        await say({"status": "pulling 9f1c2a", "digest": "sha256:9f1c2a", "total": SIZE, "completed": done})
        await connection.pause(script.pull_delay)
        step += 1
        await asyncio.sleep(0)
    await say({"status": "pulling 9f1c2a", "digest": "sha256:9f1c2a", "total": SIZE, "completed": SIZE})
    await say({"status": "success"})
    await connection.end_stream()


class Jobs:
    """LocalAI's gallery: one job at a time, one step further each time it is asked."""

    def __init__(self) -> None:
        self.name = ""
        self.step = 0
        self.cancelled = False

    def answer(self, script: Script, request: Request) -> tuple[int, Any] | None:
        """Answer LocalAI's own pages; None for any other."""
        match request.path:
            case "/readyz":
                return (200, "OK") if script.ready else (503, "not ready")
            case "/version":
                return 200, {"version": "v0.0.0-fake"}
            case "/models/available":
                return 200, GALLERY
            case "/models/apply":
                self.name, self.step, self.cancelled = str(request.json().get("id")), 0, False
                return 200, {"uuid": JOB, "status": f"http://{request.headers.get('host')}/models/jobs/{JOB}"}
            case path if path == f"/models/jobs/{JOB}":
                return 200, self._status(script)
            case path if path == f"/api/operations/{JOB}/cancel":
                self.cancelled = True
                return 200, {"success": True}
        return None

    def _status(self, script: Script) -> dict[str, Any]:
        status = {"deletion": False, "file_name": "", "error": None, "processed": False, "message": "processing"}
        status |= {"progress": 0.0, "file_size": "", "downloaded_size": "", "gallery_element_name": self.name}
        if self.name.rpartition("@")[2] not in [entry["name"] for entry in GALLERY]:
            message = f"error: no model found with name {self.name!r}"
            return {**status, "processed": True, "error": {}, "message": message}
        self.step += 1
        if script.pull_steps is not None and self.step > script.pull_steps:
            return {**status, "processed": True, "message": "completed", "progress": 100.0}
        done = {"progress": 10.0 * self.step, "file_size": "1.0 GiB", "downloaded_size": f"{self.step * 100}.5 MiB"}
        return {**status, **done, "file_name": "weights.gguf"}
