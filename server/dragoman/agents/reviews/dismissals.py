"""Findings that a user does not want to see again, by fingerprint, for each workspace in a file of the user's."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

from dragoman.agents.review_limits import DISMISSED, DISMISSED_BYTES
from dragoman.agents.tools.remembered import locked
from dragoman.errors import StorageError
from dragoman.file_replace import replace_file
from dragoman.settings.folders import data_folder

logger = logging.getLogger(__name__)


class Dismissals:
    """What was dismissed in one workspace, newest last; blocking, some milliseconds.

    A file that cannot be read dismisses nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_workspace(cls, root: Path) -> Dismissals:
        """Return those of the workspace at ``root``, in the user's data folder."""
        real = os.path.realpath(root)
        name = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return cls(data_folder() / "dismissed" / f"{name}.json")

    def fingerprints(self) -> frozenset[str]:
        """Return what was dismissed."""
        return frozenset(self._read())

    def add(self, fingerprint: str) -> None:
        """Dismiss a finding; raises StorageError, and then nothing has changed."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path.with_suffix(".lock")):
                kept = [one for one in self._read() if one != fingerprint]
                self._write([*kept, fingerprint][-DISMISSED:])
        except OSError as error:
            raise StorageError(
                f"The finding cannot be dismissed in {str(self.path)!r}: {error.strerror or error}.",
                hint="Check the rights of the folder, or set DRAGOMAN_DATA_DIR.",
            ) from None

    def _read(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                kept = json.loads(file.read(DISMISSED_BYTES))["dismissed"]
            if not isinstance(kept, list) or not all(isinstance(one, str) for one in kept):
                raise TypeError("it is no list of texts")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("the dismissed findings in %r cannot be read: %s", str(self.path), error)
            return []
        return kept

    def _write(self, fingerprints: list[str]) -> None:
        text = json.dumps({"dismissed": fingerprints}, indent=1) + "\n"
        replace_file(self.path, text.encode())
