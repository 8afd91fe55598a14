"""Whether a model fits into the memory that is free right now."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from dragoman.engine.gguf import Shape

MIB = 1024 * 1024

WORKING_BYTES = 160 * MIB
"""The interpreter, llama.cpp's buffers and its prompt cache; measured 110 MiB with the 0.5B model and rounded up."""


def required_bytes(file_bytes: int, shape: Shape, n_ctx: int) -> int:
    """Return what the model takes: the file, the key-value cache, and what the process itself needs.

    The resident size may read higher: pages of tensors that were rearranged for the processor stay mapped until the kernel
    wants them back, and need no memory of their own.
    """
    return file_bytes + shape.kv_bytes(n_ctx) + WORKING_BYTES


def available_bytes() -> int | None:
    """Return the memory a new process may take, by the kernel's own reckoning and the control group's; None if unknown."""
    figures = [figure for figure in (_machine_bytes(), _group_bytes()) if figure is not None]
    return min(figures) if figures else None


def _machine_bytes() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        psutil: Any = importlib.import_module("psutil")
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def _group_bytes(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """Return what the tightest control group (version 2) above this process leaves; page cache counts as free."""
    try:
        line = next(line for line in membership.read_text(encoding="ascii").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    group = root / line.removeprefix("0::").lstrip("/")
    tightest: int | None = None
    while True:
        left = _left_in(group)
        if left is not None:
            tightest = left if tightest is None else min(tightest, left)
        if group in {root, group.parent} or not group.is_relative_to(root):
            return tightest
        group = group.parent


def _left_in(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        if limit == "max":
            return None
        used = int((group / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, int(limit) - used + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None


def describe(count: int) -> str:
    """Return a size for people, in binary units."""
    return f"{count / 1024 / MIB:.1f} GiB" if count >= 1024 * MIB else f"{count / MIB:.0f} MiB"
