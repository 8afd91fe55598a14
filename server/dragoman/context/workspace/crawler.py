"""The process that does the bulk of the work, with what nobody else needs of processor and disk: one crawl, then it ends."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
from pathlib import Path

from dragoman.context.workspace.crawl import Walk
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.opening import is_damage
from dragoman.context.workspace.process import die_with_parent, enter, step_back
from dragoman.context.workspace.protocol import Channel, Message
from dragoman.context.workspace.store import IndexStore
from dragoman.context.workspace.update import Update, Updater

logger = logging.getLogger(__name__)


def main() -> int:
    """Read the plan, crawl, say how it went; ends at once when the parent's end of the pipe is closed."""
    die_with_parent()
    channel = enter()
    step_back()
    plan = channel.receive()
    if plan is None:
        return 0
    threading.Thread(target=_end_with_parent, args=(channel,), daemon=True).start()
    try:
        outcome = crawl(plan, channel)
    except Exception:
        logger.exception("the workspace cannot be crawled")
        return 1
    channel.send({"event": "finished", **outcome})
    return 0


def crawl(plan: Message, channel: Channel) -> Message:
    """Carry the plan out; returns files, written, removed, the problem ("" for none), and whether the index is damaged."""
    try:
        store = IndexStore.open(Path(plan["index"]), write=True)
    except (OSError, sqlite3.Error) as error:
        return _failure(error)
    root = Path(plan["root"])
    walk = Walk(root, IgnoreRules(root, plan["excludes"]), plan["near"])

    def report(done: int, total: int) -> None:
        channel.send({"event": "progress", "files": done, "total": total})

    def reading(path: str) -> None:
        channel.send({"event": "reading", "path": path})

    updater = Updater(store, walk, report=report, reading=reading if plan["careful"] else None, skip=[*plan["skip"]])
    try:
        update = updater.run() if plan["paths"] is None else updater.run_on(plan["paths"])
        return _outcome(update, "The workspace is too large; a part of it is indexed." if update.cut_short else "")
    except (OSError, sqlite3.Error) as error:
        return _failure(error)
    finally:
        store.close()


def explain(error: Exception) -> str:
    """Say in a sentence why an index cannot be written or a workspace cannot be read."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if "disk is full" in str(error) or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}):
        return "The index is not complete: the disk with the cache folder is full."
    if isinstance(error, sqlite3.Error):
        return f"The index is not complete: it cannot be written ({reason})."
    about = f"{error.filename!r} cannot be read or written ({reason})" if isinstance(error, OSError) else reason
    return f"The index is not complete: {about}."


def _failure(error: Exception) -> Message:
    problem = explain(error)
    logger.warning("%s", problem)
    return {**_outcome(Update(0, 0, 0), problem), "damaged": is_damage(error)}


def _outcome(update: Update, problem: str) -> Message:
    return {"files": update.files, "written": update.written, "removed": update.removed, "problem": problem}


def _end_with_parent(channel: Channel) -> None:
    channel.receive()
    os._exit(0)
