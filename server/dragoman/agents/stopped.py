"""Agents that the user has stopped: a file in their data folder, so that every process heeds it and a restart changes nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from dragoman.errors import StorageError
from dragoman.file_replace import replace_file
from dragoman.settings.folders import data_folder

logger = logging.getLogger(__name__)

STOPPED_BYTES: Final = 100_000
"""A longer file is none of ours."""


class StoppedAgents:
    """The names of stopped agents; blocking, some microseconds.  A file that cannot be read stops nobody."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = data_folder() / "stopped-agents.json" if path is None else path

    def names(self) -> frozenset[str]:
        """Return the agents that are stopped."""
        try:
            with self.path.open("rb") as file:
                listed = json.loads(file.read(STOPPED_BYTES))
            return frozenset(map(str, listed["agents"]))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("the list of stopped agents in %r cannot be read: %s", str(self.path), type(error).__name__)
            return frozenset()

    def set(self, agent: str, *, stopped: bool) -> bool:
        """Stop an agent or let it work again; returns whether that changes anything.  Raises StorageError."""
        before = self.names()
        after = before | {agent} if stopped else before - {agent}
        if after == before:
            return False
        try:
            self._write(after)
        except OSError as error:
            raise StorageError(
                f"{str(self.path)!r} cannot be written: {error.strerror or error}.",
                hint="Check the rights of the folder, or set DRAGOMAN_DATA_DIR.",
            ) from None
        return True

    def _write(self, names: frozenset[str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self.path, json.dumps({"agents": sorted(names)}).encode())
