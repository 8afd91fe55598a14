"""Which process makes a run: a mark that a process of a later day cannot have, though it may get the same number."""

from __future__ import annotations

import functools
import os
import platform

import psutil


@functools.cache
def this_process() -> str:
    """Return this process's mark."""
    return _mark(os.getpid(), psutil.Process().create_time())


def is_elsewhere(mark: str) -> bool:
    """Tell whether another process of this machine has this mark and still lives."""
    if mark == this_process():
        return False
    machine, _, rest = mark.rpartition("/")
    number = rest.partition("@")[0]
    if machine != platform.node() or not number.isdecimal():
        return False
    try:
        return _mark(int(number), psutil.Process(int(number)).create_time()) == mark
    except psutil.Error:
        return False


def _mark(number: int, born: float) -> str:
    return f"{platform.node()}/{number}@{born:.2f}"
