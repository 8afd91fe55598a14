"""Watches the workspace's files where the editor does not."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from dragoman.limits import WATCH_DEBOUNCE_MS, WATCH_STEP_MS, WATCH_TIMEOUT_MS

logger = logging.getLogger(__name__)


class Watcher:
    """A thread that hears of changed files.

    ``changed`` is called in it with the paths (relative, with slashes) for which ``wanted`` says so.
    ``failed`` is called in it when nothing can be heard of (any more): more folders than the system allows to watch.
    """

    def __init__(
        self,
        root: Path,
        wanted: Callable[[str], bool],
        changed: Callable[[list[str]], None],
        failed: Callable[[], None],
    ) -> None:
        self._root = root
        self._wanted = wanted
        self._failed = failed
        self._changed = changed
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether changes are heard of."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def _watch(self) -> None:
        try:
            import watchfiles

            for changes in watchfiles.watch(
                self._root,
                watch_filter=None,
                debounce=WATCH_DEBOUNCE_MS,
                step=WATCH_STEP_MS,
                rust_timeout=WATCH_TIMEOUT_MS,
                stop_event=self._stopped,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                paths = {relative for _, path in changes if (relative := self._relative(path))}
                if wanted := [path for path in sorted(paths) if self._wanted(path)]:
                    self._changed(wanted)
        except (ImportError, OSError, RuntimeError) as error:
            logger.warning(
                "the workspace cannot be watched (%s) and is looked through every few minutes instead", error
            )
            self._failed()

    def _relative(self, path: str) -> str:
        relative = os.path.relpath(path, self._root).replace(os.sep, "/")
        return "" if relative == "." or relative.startswith("../") else relative
