"""Where an engine lives: socket, lock and log in a folder that only its user may enter."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dragoman.engine.protocol import VERSION

SOCKET_PATH_LIMIT = 100
"""Bytes: macOS allows 104, Linux 108, both with the closing zero."""


class PlaceError(Exception):
    """The runtime folder cannot be made or is not the user's alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one engine."""

    socket: Path

    @property
    def folder(self) -> Path:
        """The runtime folder."""
        return self.socket.parent

    @property
    def lock(self) -> Path:
        """The file whose flock is held as long as the engine lives."""
        return self.socket.with_suffix(".lock")

    @property
    def log(self) -> Path:
        """What the engine and llama.cpp print."""
        return self.socket.with_suffix(".log")


def find_place(model: Path, runtime_dir: Path | None = None) -> Place:
    """Return the place of the engine for a model file, its folder made; raises PlaceError.

    A file that was replaced is another model and gets another engine.
    """
    folder = runtime_dir or default_folder()
    identity = f"{VERSION}\0{os.path.realpath(model)}"
    try:
        state = model.stat()
        identity += f"\0{state.st_size}\0{state.st_mtime_ns}"
    except OSError:
        pass  # The engine itself says clearly that it cannot read the file.
    place = Place(folder / _socket_name(identity))
    if len(os.fsencode(place.socket)) >= SOCKET_PATH_LIMIT:
        # Too deep for a socket's address: a short folder, still apart from the engines of other runtime folders.
        place = Place(_temporary_folder() / _socket_name(f"{identity}\0{folder}"))
    _make_private(place.folder)
    return place


def _socket_name(identity: str) -> str:
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return f"dragoman-engine-{digest[:10]}.sock"


def default_folder() -> Path:
    """Return the user's runtime folder for engines, not yet made."""
    if chosen := os.environ.get("DRAGOMAN_RUNTIME_DIR"):
        return Path(chosen).absolute()
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        folder = Path(runtime)
        if folder.is_absolute() and os.access(folder, os.W_OK | os.X_OK):
            return folder / "dragoman"
    return _temporary_folder()


def _temporary_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"dragoman-{os.getuid()}"


def _make_private(folder: Path) -> None:
    """Make the folder if need be and refuse one that another user owns, may enter, or replaced by a link."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
    except OSError as error:
        raise PlaceError(f"the runtime folder {str(folder)!r} cannot be made: {error.strerror}") from error
    if not stat.S_ISDIR(state.st_mode):
        raise PlaceError(f"the runtime folder {str(folder)!r} is not a folder")
    if state.st_uid != os.getuid():
        raise PlaceError(f"the runtime folder {str(folder)!r} belongs to user {state.st_uid}, not to {os.getuid()}")
    if stat.S_IMODE(state.st_mode) & 0o077:
        raise PlaceError(f"the runtime folder {str(folder)!r} is open to others (mode {stat.S_IMODE(state.st_mode):o})")
