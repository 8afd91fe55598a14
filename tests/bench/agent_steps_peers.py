"""Peers of the agent runtime, each from its own package in an environment of its own.

    python -m tests.bench.agent_steps_peers

The command makes those environments (once, some 200 MB); the measurement does the same when one is missing.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.bench.report import RESULTS


@dataclass(frozen=True, slots=True)
class Peer:
    """A package that is measured, what is imported of it, and our module that plays the script with it."""

    package: str
    version: str
    imported: str
    service: str

    @property
    def name(self) -> str:
        return f"{self.package.removesuffix('-slim')} {self.version}"

    @property
    def folder(self) -> Path:
        return RESULTS / self.package

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def is_ready(self, *, install: bool = True) -> bool:
        """Whether the environment is there, made now if need be and wanted; says why when it cannot be had."""
        marker = self.folder / "ready"
        if marker.exists():
            return True
        if not install:
            print(f"{self.name} is left out of a quick run: it is not installed", file=sys.stderr)
            return False
        print(f"getting {self.name}, once", file=sys.stderr)
        try:
            venv.create(self.folder, with_pip=True, clear=True)
            pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            wanted = f"{self.package}=={self.version}"
            subprocess.run([*pip, "--only-binary=:all:", wanted], check=True, capture_output=True, timeout=600)
            tried = [str(self.python), "-c", f"import {self.imported}"]
            subprocess.run(tried, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{self.name} is left out, its package could not be installed: {error}", file=sys.stderr)
            return False
        marker.touch()
        return True


PEERS = (
    Peer("pydantic-ai-slim", "2.68.0", "pydantic_ai", "tests.bench.agent_steps_pydantic"),
    Peer("langgraph", "1.2.22", "langgraph.prebuilt", "tests.bench.agent_steps_langgraph"),
)


if __name__ == "__main__":
    sys.exit(sum(not peer.is_ready() for peer in PEERS))
