"""Decisions that count beyond one call: for a run in memory, for good in a file of the user's for each workspace."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from dragoman.agents.limits import REMEMBERED_BYTES, REMEMBERED_LOCK_S, REMEMBERED_POLL_S, REMEMBERED_RULES
from dragoman.agents.tools.policy import PERMISSIONS, Remember, Rule, Verdict
from dragoman.errors import StorageError
from dragoman.file_lock import try_lock
from dragoman.file_replace import replace_file
from dragoman.settings.folders import data_folder

logger = logging.getLogger(__name__)


class RememberedRules:
    """The decisions for one workspace, newest last; blocking, some milliseconds.

    It lies in the user's data folder, where no workspace can write; a file that cannot be read remembers nothing.
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        self._root = os.path.realpath(root)
        name = hashlib.sha256(self._root.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self.path = (data_folder() / "permissions" if folder is None else folder) / f"{name}.json"

    def rules(self) -> tuple[Rule, ...]:
        """Return what was decided for good."""
        try:
            with self.path.open("rb") as file:
                kept = json.loads(file.read(REMEMBERED_BYTES))
            return tuple(_read_rule(one) for one in kept["rules"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning(
                "the remembered permissions in %r cannot be read, so all is asked again: %s", self.path, error
            )
            return ()

    def add(self, rules: Sequence[Rule]) -> None:
        """Keep decisions; the same call's older ones are replaced.  Raises StorageError, and then nothing has changed."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with locked(self.path.with_suffix(".lock")):
                about = {_about(rule) for rule in rules}
                kept = [rule for rule in self.rules() if _about(rule) not in about]
                self._write([*kept, *rules][-REMEMBERED_RULES:])
        except OSError as error:
            raise StorageError(
                f"The permission cannot be remembered in {str(self.path)!r}: {error.strerror or error}.",
                hint="It counts for this run; check the rights of the folder, or set DRAGOMAN_DATA_DIR.",
            ) from None

    def forget(self) -> None:
        """Remember nothing any more."""
        self.path.unlink(missing_ok=True)

    def _write(self, rules: Sequence[Rule]) -> None:
        kept = [{name: value for name, value in asdict(rule).items() if value is not None} for rule in rules]
        text = json.dumps({"workspace": self._root, "rules": kept}, indent=1) + "\n"
        replace_file(self.path, text.encode("utf-8", "surrogateescape"))


class Memory:
    """What one run remembers: its own decisions, and those for good, where there is a place for these."""

    def __init__(self, kept: RememberedRules | None = None) -> None:
        self.is_trusted = True
        """Whether the workspace is; where it is not any more, what was allowed for good is asked about again."""
        self._kept = kept
        self._run: tuple[Rule, ...] = ()

    def rules(self) -> tuple[Rule, ...]:
        """Return all that counts now; reads a file."""
        kept = self._kept.rules() if self._kept is not None else ()
        return (*(rule for rule in kept if self.is_trusted or rule.verdict != "allow"), *self._run)

    def add(self, rules: Sequence[Rule], remember: Remember) -> None:
        """Remember a decision as long as was said; raises StorageError when that fails, but for the run it counts anyway."""
        if remember == "once":
            return
        self._run = (*self._run, *rules)
        if remember == "always" and self._kept is not None:
            self._kept.add(rules)


def _about(rule: Rule) -> tuple[object, ...]:
    return rule.permission, rule.tool, rule.path, rule.command, rule.agent


def _read_rule(value: dict[str, Any]) -> Rule:
    rule = Rule(**value)
    texts = (rule.tool, rule.path, rule.command, rule.agent)
    if rule.verdict not in get_args(Verdict) or rule.permission not in {None, *PERMISSIONS}:
        raise ValueError(f"{value!r} is no rule")
    if not all(text is None or isinstance(text, str) for text in texts) or rule.tool is None:
        raise ValueError(f"{value!r} is no rule")
    return rule


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock; raises OSError when another process does not let go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        until = time.monotonic() + REMEMBERED_LOCK_S
        while not try_lock(descriptor):
            if time.monotonic() > until:
                raise OSError("another process writes it")
            time.sleep(REMEMBERED_POLL_S)
        yield
    finally:
        os.close(descriptor)
