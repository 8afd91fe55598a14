"""Packages installed in the project's own environment: found by looking, read when nobody waits, never run.

A file that is asked for the first time is read after the question; the next one has it.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from dragoman.context.limits import INSTALLED_FILE_BYTES, INSTALLED_FILES, INSTALLED_QUEUE
from dragoman.context.retrieval.files import File
from dragoman.context.workspace.reading import read_outline
from dragoman.syntax.file_types import language_of

PREFIX = "site-packages/"
"""What the paths of installed files begin with; what follows is relative to the environment's folder."""

_ENVIRONMENTS = (".venv", "venv", "env")
_PYTHON_ENDINGS = (".py", "/__init__.py", ".pyi", "/__init__.pyi")


class Installed:
    """The environment of one workspace; not thread-safe."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = _find_environment(root)
        self._modules = root / "node_modules"
        self._files: OrderedDict[str, File | None] = OrderedDict()
        self._wanted: dict[str, Path] = {}

    @property
    def is_reading(self) -> bool:
        """Whether files that were asked for have not been read yet."""
        return bool(self._wanted)

    def python(self, module: str) -> File | None:
        """Return an installed Python module, None where there is none or it has not been read yet."""
        if self._folder is None or not module:
            return None
        inner = module.replace(".", "/")
        for ending in _PYTHON_ENDINGS:
            if (file := self.get(f"{PREFIX}{inner}{ending}")) is not None:
                return file
        return None

    def script(self, module: str) -> File | None:
        """Return the declarations of an installed JavaScript package, under the same terms."""
        if module.startswith((".", "/")):
            return None
        for name in (module, f"@types/{module.lstrip('@').replace('/', '__')}"):
            for path in self._declarations(name):
                return self._read_later(f"{PREFIX}{name}/{path.name}", path)
        return None

    def _declarations(self, name: str) -> Iterator[Path]:
        folder = self._modules / name
        try:
            about = json.loads((folder / "package.json").read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(about, dict):
            for key in ("types", "typings"):
                stated = about.get(key)
                if isinstance(stated, str) and (path := folder / stated).is_file() and _is_inside(path, folder):
                    yield path
        if (folder / "index.d.ts").is_file():
            yield folder / "index.d.ts"

    def get(self, path: str) -> File | None:
        """Return the installed file at ``path``, which begins with `PREFIX`; None where it is not there or not read yet."""
        if path in self._files:
            self._files.move_to_end(path)
            return self._files[path]
        if self._folder is None:
            return None
        file = self._folder / path.removeprefix(PREFIX)
        return self._read_later(path, file) if file.is_file() and _is_inside(file, self._folder) else None

    def _read_later(self, path: str, file: Path) -> File | None:
        if path in self._files:
            return self._files[path]
        if len(self._wanted) < INSTALLED_QUEUE:
            self._wanted[path] = file
        return None

    def work(self) -> bool:
        """Read one file that was asked for; False when there is none."""
        if not self._wanted:
            return False
        path = next(iter(self._wanted))
        self._files[path] = _read(path, self._wanted.pop(path))
        while len(self._files) > INSTALLED_FILES:
            self._files.popitem(last=False)
        return True


def _find_environment(root: Path) -> Path | None:
    """Return the folder of the project's own environment that packages are installed in."""
    for name in _ENVIRONMENTS:
        if (root / name / "pyvenv.cfg").is_file():
            found = [*(root / name / "lib").glob("python*/site-packages"), root / name / "Lib" / "site-packages"]
            return next((folder for folder in found if folder.is_dir()), None)
    return None


def _is_inside(path: Path, folder: Path) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(folder) + os.sep)


def _read(path: str, file: Path) -> File | None:
    try:
        if file.stat().st_size > INSTALLED_FILE_BYTES:
            return None
        text = file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
    return File.of(path, read_outline(language_of(file.name), text))
