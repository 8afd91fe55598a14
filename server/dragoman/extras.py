"""What only works with packages that are not always installed: whether they are, and how to get them."""

from __future__ import annotations

import importlib.util
import shlex
import sys


def _how_to_get(extra: str) -> str:
    # An editor's extension has a Python of its own for the server, which is not the one that `pip` belongs to.
    return f"Run: {shlex.quote(sys.executable)} -m pip install 'dragoman[{extra}]'"


VECTORS_HINT = _how_to_get("vectors")
MCP_HINT = _how_to_get("mcp")


def why_no_vectors() -> str:
    """Say which packages vectors lack and how to get them; "" when they are there. Imports none of them."""
    missing = [name for name in ("apsw", "sqlite_vec") if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    return f"Vectors need {' and '.join(name.replace('_', '-') for name in missing)}. {VECTORS_HINT}"


def has_mcp() -> bool:
    """Tell whether the package that speaks to foreign tool servers is there. Does not import it."""
    return importlib.util.find_spec("mcp") is not None
