"""The models on this disk: where they lie, which are there, and whether they are what they should be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from dragoman.errors import WeightsError
from dragoman.models.weights.files import Progress, explain, hash_file
from dragoman.models.weights.manifest import DEFAULT_MODEL, ModelEntry, find_entry, load_manifest
from dragoman.settings.folders import data_folder

Health = Literal["ok", "wrong_hash"]


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model's file on this disk; only one in health ``ok`` may be loaded."""

    name: str
    path: Path
    bytes: int
    sha256: str
    health: Health = "ok"
    problem: str = ""
    entry: ModelEntry | None = field(default=None, repr=False)
    """What the manifest knows of it, None for a file the user brought."""


class WeightsStore:
    """The folder that holds the models: ``DRAGOMAN_DATA_DIR``, else the platform's data folder, and in it ``models``."""

    def __init__(self, data_dir: Path | None = None, manifest: Sequence[ModelEntry] | None = None) -> None:
        self.manifest = load_manifest() if manifest is None else tuple(manifest)
        self.folder = (data_dir or data_folder()) / "models"

    def path_of(self, entry: ModelEntry) -> Path:
        """Return where the entry's file lies or will lie."""
        return self.folder / entry.file

    async def installed(self) -> list[InstalledModel]:
        """List what is there, the manifest's models first; hashes only files that have changed since they were last checked."""
        order = {entry.file: number for number, entry in enumerate(self.manifest)}
        paths = sorted(self.folder.glob("*.gguf"), key=lambda path: (order.get(path.name, len(order)), path.name))
        models = []
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                models.append(await self._inspect(path, full=False))
        return models

    async def find(self, name: str = DEFAULT_MODEL) -> InstalledModel:
        """Return the installed model of that name, fit to be loaded; raises WeightsError."""
        wanted = name.lower()
        for model in await self.installed():
            if wanted in {model.name.lower(), model.path.name.lower()}:
                if model.health != "ok":
                    hint = _again(model.name) if model.entry else "Bring it in again: dragoman models pull --from FILE"
                    raise WeightsError(model.problem, hint=hint)
                return model
        entry = find_entry(name, self.manifest)
        raise WeightsError(f"The model {entry.name!r} is not on this disk.", hint=_again(entry.name))

    async def verify(self, name: str = DEFAULT_MODEL, progress: Progress | None = None) -> InstalledModel:
        """Hash the model's whole file again and return what it is now; raises WeightsError when it is not there."""
        for model in await self.installed():
            if name.lower() in {model.name.lower(), model.path.name.lower()}:
                return await self._inspect(model.path, full=True, progress=progress)
        return await self.find(name)

    async def _inspect(self, path: Path, *, full: bool, progress: Progress | None = None) -> InstalledModel:
        state = await asyncio.to_thread(path.stat)
        entry = next((entry for entry in self.manifest if entry.file == path.name), None)
        record = _read_record(path)
        # Size and time of change say that nothing has touched the file since its hash was taken.
        if not full and record.get("bytes") == state.st_size and record.get("mtime_ns") == state.st_mtime_ns:
            found = str(record["sha256"])
        else:
            found = await hash_file(path, progress, f"checking {path.name}")
            _write_record(
                path, found, str(record.get("source", "found on disk")), expected=record.get("expected", found)
            )
        expected = entry.sha256 if entry is not None else str(record.get("expected") or found)
        name = entry.name if entry is not None else path.stem
        if found == expected:
            return InstalledModel(name, path, state.st_size, found, entry=entry)
        problem = f"The file {str(path)!r} has the SHA-256 {found} and must have {expected}; it is not loaded."
        return InstalledModel(name, path, state.st_size, found, "wrong_hash", problem, entry)

    async def place(self, temporary: Path, file: str, sha256: str, source: str) -> InstalledModel:
        """Move a finished and checked file to its place in one step and record what it is; raises WeightsError."""
        path = self.folder / file
        entry = next((entry for entry in self.manifest if entry.file == file), None)
        try:
            await asyncio.to_thread(os.replace, temporary, path)
            _write_record(path, sha256, source, expected=sha256)
            if entry is not None and entry.licence:
                _write_licence(path, entry)
            await asyncio.to_thread(_sync_folder, self.folder)
        except OSError as error:
            raise explain(error, path) from error
        return InstalledModel(entry.name if entry else path.stem, path, path.stat().st_size, sha256, entry=entry)


def _again(name: str) -> str:
    return f"Run: dragoman models pull {name}"


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read_record(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(_record_path(path).read_text(encoding="utf-8"))
        if isinstance(record, dict) and isinstance(record.get("sha256"), str):
            return record
    return {}


def _write_record(path: Path, sha256: str, source: str, *, expected: object) -> None:
    state = path.stat()
    record = {
        "sha256": sha256,
        "expected": expected,
        "bytes": state.st_size,
        "mtime_ns": state.st_mtime_ns,
        "source": source,
        "checked_at": int(time.time()),
    }
    # A folder that may only be read still serves: the file is then hashed each time.
    with contextlib.suppress(OSError):
        temporary = _record_path(path).with_suffix(f".{os.getpid()}.new")
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        temporary.replace(_record_path(path))


def _write_licence(path: Path, entry: ModelEntry) -> None:
    licence = resources.files(__package__).joinpath("LICENSE-APACHE-2.0.txt").read_text(encoding="utf-8")
    path.with_suffix(".LICENSE.txt").write_text(licence, encoding="utf-8")
    path.with_suffix(".NOTICE.txt").write_text(
        f"{path.name} holds the weights of {entry.title or entry.name}.\n"
        f"They were made by {entry.author} and published at {entry.home} under the licence {entry.licence},\n"
        f"whose text lies beside this file as {path.with_suffix('.LICENSE.txt').name}.\n"
        f"Dragoman passes the file on unchanged; its SHA-256 is {entry.sha256}.\n",
        encoding="utf-8",
    )


def _sync_folder(folder: Path) -> None:
    """Make the renaming last through a power cut, where folders can be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
