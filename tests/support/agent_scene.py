"""A scene in which a scripted model also chats, edits and reviews."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.scene import Scene, open_scene

PROVIDER = """\
[completion]
enabled = false

[[providers]]
name = "fake"
kind = "openai"
base_url = "{url}/v1"
models = [{{ name = "fake-chat", roles = ["chat", "edit", "review"], tools = true, context_window = 16384 }}]
"""

CART = "def total(items):\n    return sum(items)\n\n\ndef count(items):\n    return 0\n"
BLOCK = "<<<<<<< SEARCH\n    return 0\n=======\n    return len(items)\n>>>>>>> REPLACE\n"
BLOCKS = f"<<<<<<< SEARCH\n    return sum(items)\n=======\n    return sum(one.price for one in items)\n>>>>>>> REPLACE\n{BLOCK}"
EDITED = CART.replace("sum(items)", "sum(one.price for one in items)").replace("return 0", "return len(items)")
FINDINGS = (
    '{"line": 2, "end_line": 2, "severity": "warning", "code": "price", "message": "Items have prices.", '
    '"quote": "    return sum(items)", "fix": "    return sum(one.price for one in items)"}\n'
    '{"line": 6, "end_line": 6, "severity": "error", "code": "zero", "message": "Always nothing.", "quote": "return 0"}\n'
)


@contextmanager
def open_agent_scene(folder: Path, **script: Any) -> Iterator[Scene]:
    """Yield a scene whose model answers chats as ``script`` says, in a workspace that is trusted."""
    with open_scene(folder, {"models": ["fake-chat"], **script}) as scene:
        assert scene.model is not None
        (scene.settings / "config.toml").write_text(PROVIDER.format(url=scene.model.url), encoding="utf-8")
        yield scene
