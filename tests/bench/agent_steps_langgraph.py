"""A peer: langgraph, from its own package, which lives in an environment of its own.

    python -m tests.bench.agent_steps_langgraph

The command makes that environment (once, some 100 MB); the measurement does the same when it is missing.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from tests.bench.report import RESULTS

PACKAGE = "langgraph==1.2.22"
LANGGRAPH = PACKAGE.replace("==", " ")
FOLDER = RESULTS / "langgraph"
PYTHON = FOLDER / "bin" / "python"


def is_ready(*, install: bool = True) -> bool:
    """Whether the environment is there, made now if need be and wanted; says why when it cannot be had."""
    marker = FOLDER / "ready"
    if marker.exists():
        return True
    if not install:
        print("langgraph is left out of a quick run: it is not installed", file=sys.stderr)
        return False
    print(f"getting {PACKAGE}, once", file=sys.stderr)
    try:
        venv.create(FOLDER, with_pip=True, clear=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--only-binary=:all:", PACKAGE], check=True, capture_output=True, timeout=600)
        subprocess.run([pip[0], "-c", "import langgraph.prebuilt"], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"langgraph is left out, its package could not be installed: {error}", file=sys.stderr)
        return False
    marker.touch()
    return True


if __name__ == "__main__":
    sys.exit(0 if is_ready() else 1)
