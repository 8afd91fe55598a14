"""Where a model's paths lead: inside the workspace, links followed, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.agents.limits import PATH_SHOWN_CHARS
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.errors import FileUnfitError, PathOutsideError, SecretFileError
from dragoman.security.paths import is_secret_path

REPOSITORIES = frozenset({".git", ".hg", ".svn", ".jj", ".bzr"})
"""Folders whose files name programs that others run: no tool writes into them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path of the workspace: absolute without links, and as it is shown, relative to ``root`` with slashes."""

    root: Path
    path: Path
    shown: str


def find_place(roots: Sequence[Path], path: str) -> Place:
    """Return where ``path`` leads, whether or not something is there.

    A relative path is looked for in each root, the first one counts for what is nowhere; one that begins with a root's name
    leads into that root, unless the first root has such a folder itself.
    Raises PathOutsideError, and FileUnfitError for one that the system cannot look for.
    """
    if not path or "\0" in path:
        raise PathOutsideError(f"{path!r} is no path.", hint="Give a path relative to the workspace.")
    found = None
    for root in roots:
        place = _inside(root, path)
        if place is not None and (found is None or (_exists(place) and not _exists(found))):
            found = place
    if found is None or (len(roots) > 1 and not _exists(found)):
        found = _by_name(roots, path) or found
    if found is None:
        raise PathOutsideError(
            f"{path!r} leads out of the workspace.",
            hint="Only files of the workspace can be used; give a path relative to it, without links that leave it.",
        )
    _exists(found)
    return found


def _by_name(roots: Sequence[Path], path: str) -> Place | None:
    """Return where a path leads that begins with the name of one of several roots."""
    name, _, rest = path.replace("\\", "/").partition("/")
    named = [root for root in roots if root.name == name]
    if len(roots) < 2 or len(named) != 1 or (roots[0] / name).exists():
        return None
    return _inside(named[0], rest or ".")


def _exists(place: Place) -> bool:
    try:
        return place.path.exists()
    except OSError as error:
        shown = place.shown if len(place.shown) <= PATH_SHOWN_CHARS else f"{place.shown[:PATH_SHOWN_CHARS]}…"
        raise FileUnfitError(
            f"{shown!r} cannot be used: {error.strerror or error}.", hint="Use list_files to see what there is."
        ) from None


def _inside(root: Path, path: str) -> Place | None:
    try:
        base = Path(os.path.realpath(root))
        real = Path(os.path.realpath(base / path))
        shown = real.relative_to(base).as_posix()
        shown.encode()
    except (OSError, ValueError):
        return None
    return Place(base, real, shown)


def find_writable(roots: Sequence[Path], path: str) -> Place:
    """Return where ``path`` leads, for writing; raises PathOutsideError, also for the workspace itself and git's own files."""
    place = find_place(roots, path)
    parts = {part.lower() for part in place.path.parts[len(place.root.parts) :]}
    if place.shown == "." or parts & REPOSITORIES:
        raise PathOutsideError(
            f"{path!r} cannot be written.", hint="The files of a version control system are changed by its tools only."
        )
    return place


def refuse_secret(place: Place, *, remote: bool) -> None:
    """Raise SecretFileError for a file of keys, or one that the project ignores, whose text would leave this machine."""
    if not remote:
        return
    if is_secret_path(place.path):
        raise SecretFileError(
            f"{place.shown!r} is expected to hold keys, and the model is on another machine.",
            hint="Do without it; ask the user for what you need to know of it.",
        )
    if is_ignored(place):
        raise SecretFileError(
            f"{place.shown!r} is ignored in this project, and the model is on another machine.",
            hint="Do without it; ask the user for what you need to know of it.",
        )


def is_ignored(place: Place) -> bool:
    """Tell whether the project ignores a file or folder; looks at the disk."""
    return place.shown != "." and IgnoreRules(place.root).ignores(place.shown, is_dir=place.path.is_dir())


def refuse_folder(place: Place) -> None:
    """Raise FileUnfitError where a folder stands in a file's place."""
    if place.path.is_dir():
        raise FileUnfitError(f"{place.shown!r} is a folder.", hint="Use list_files to see what is in it.")
