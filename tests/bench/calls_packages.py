"""Pairs of released versions, the raw material of reconstructed typing.

A folder of pairs holds `NAME/OLD-VERSION/…` and `NAME/NEW-VERSION/…`; the older version sorts first.
Without one, pinned packages are fetched once from the registries into the user's cache.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from tests.bench.calls_typing import changes, draw

PYTHON_PAIRS = """
cachetools 5.3.3 5.5.0
click 8.1.7 8.1.8
flask 3.0.3 3.1.0
httpcore 1.0.5 1.0.7
humanize 4.10.0 4.11.0
itsdangerous 2.1.2 2.2.0
jinja2 3.1.4 3.1.6
marshmallow 3.22.0 3.23.1
packaging 24.1 24.2
platformdirs 4.2.2 4.3.6
pluggy 1.4.0 1.5.0
requests 2.31.0 2.32.3
rich 13.8.1 13.9.4
starlette 0.40.0 0.41.3
structlog 24.2.0 24.4.0
tomlkit 0.12.5 0.13.2
typer 0.12.5 0.15.1
urllib3 2.2.3 2.3.0
werkzeug 3.0.4 3.1.3
"""
NPM_PAIRS = """
commander 11.1.0 12.1.0
debug 4.3.4 4.4.0
express 4.18.2 4.21.2
semver 7.5.4 7.6.3
"""
LANGUAGES = {".py": ("python", "    "), ".js": ("javascript", "  "), ".ts": ("typescript", "  ")}
"""The language and one step of indentation by suffix."""
FEWEST_CHARS = 40
MOST_FILE_CHARS = 200_000


@dataclass(frozen=True)
class Work:
    """One file to be typed from its old version to its new one."""

    name: str
    language: str
    unit: str
    old: str
    new: str
    chars: int


def default_folder() -> Path:
    return platformdirs.user_cache_path("dragoman-bench") / "pairs"


def fetch(folder: Path) -> None:
    """Get every pinned pair that the folder lacks; a registry that is out of reach leaves its pairs out."""
    for pairs, get in ((PYTHON_PAIRS, _from_pip), (NPM_PAIRS, _from_npm)):
        for name, *versions in (line.split() for line in pairs.strip().splitlines()):
            for version in versions:
                target = folder / name / version
                if target.is_dir():
                    continue
                with tempfile.TemporaryDirectory() as scratch:
                    try:
                        get(name, version, Path(scratch), target)
                    except (subprocess.CalledProcessError, FileNotFoundError):
                        print(f"could not get {name} {version}: left out", file=sys.stderr)


def _from_pip(name: str, version: str, scratch: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--only-binary=:all:", "--dest", str(scratch), f"{name}=={version}"], check=True)
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        wheel.extractall(target, [one for one in wheel.namelist() if one.endswith(".py") and ".." not in one])


def _from_npm(name: str, version: str, scratch: Path, target: Path) -> None:
    subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=scratch, check=True, capture_output=True)
    with tarfile.open(next(scratch.glob("*.tgz"))) as package:
        members = [one for one in package.getmembers() if one.isfile() and one.name.endswith((".js", ".ts"))]
        package.extractall(target, members, filter="data")


def packages(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Yield name, old version and new version of every pair in ``folder``, by name."""
    for one in sorted(folder.iterdir() if folder.is_dir() else ()):
        versions = sorted((path for path in one.iterdir() if path.is_dir()), key=_version) if one.is_dir() else []
        if len(versions) == 2:
            yield one.name, versions[0], versions[1]


def _version(path: Path) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else 0, part) for part in path.name.split(".")]


def work_of(name: str, old: Path, new: Path, *, chars: int, seed: int) -> list[Work]:
    """Choose changed files of a package, in an order drawn by ``seed``, until ``chars`` are to be typed."""
    found = [work for path in sorted(new.rglob("*")) if (work := _work(path, old, new)) is not None]
    found.sort(key=lambda work: draw(seed, name, work.name))
    chosen: list[Work] = []
    for work in found:
        done = sum(one.chars for one in chosen)
        if done >= chars:
            break
        if done + work.chars <= 1.5 * chars:
            chosen.append(work)
    return chosen or sorted(found, key=lambda work: work.chars)[:1]


def _work(path: Path, old: Path, new: Path) -> Work | None:
    relative = path.relative_to(new)
    before = old / relative
    if path.suffix not in LANGUAGES or ".min" in path.name or not path.is_file() or not before.is_file():
        return None
    was, now = before.read_text(encoding="utf-8"), path.read_text(encoding="utf-8")
    if was == now or len(now) > MOST_FILE_CHARS or set("\r\f") & set(was + now):
        return None
    chars = sum(len(change.text) for change in changes(was, now))
    if chars < FEWEST_CHARS:
        return None
    language, unit = LANGUAGES[path.suffix]
    return Work(relative.as_posix(), language, unit, was, now, chars)
