"""A peer: LiteLLM's router, from its own package, which lives in an environment of its own.

    python -m tests.bench.resilience_litellm

The command makes that environment (once, some 300 MB); the measurement does the same when it is missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.bench.report import RESULTS

PACKAGE = "litellm==1.110.2"
LITELLM = PACKAGE.replace("litellm==", "LiteLLM's router ")
FOLDER = RESULTS / "litellm"
SERVICE = Path(__file__).with_name("resilience_litellm_service.py")


def is_ready(*, install: bool = True) -> bool:
    """Whether the environment is there, made now if need be and wanted; says why when it cannot be had."""
    marker = FOLDER / "ready"
    if marker.exists():
        return True
    if not install:
        print("LiteLLM is left out of a quick run: it is not installed", file=sys.stderr)
        return False
    print(f"getting {PACKAGE} for its router, once", file=sys.stderr)
    try:
        venv.create(FOLDER, with_pip=True, clear=True)
        pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--only-binary=:all:", PACKAGE], check=True, capture_output=True, timeout=600)
        subprocess.run([pip[0], "-c", "from litellm import Router"], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"LiteLLM is left out, its package could not be installed: {error}", file=sys.stderr)
        return False
    marker.touch()
    return True


async def start(urls: Sequence[str], model: str, prompt: str, patience_s: float) -> asyncio.subprocess.Process:
    """Start the router in front of these servers; returns when it can be asked."""
    what = {"urls": list(urls), "model": model, "prompt": prompt, "patience_s": patience_s}
    process = await asyncio.create_subprocess_exec(
        str(FOLDER / "bin" / "python"),
        str(SERVICE),
        json.dumps(what),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        # It would fetch a list of prices, and nothing here leaves the machine.
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


if __name__ == "__main__":
    sys.exit(0 if is_ready() else 1)
