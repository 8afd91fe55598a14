"""The resolved oracle: jedi's ``goto`` on the unmasked files, in two processes, remembered on disk.

An answer's key is made of the package's files, so a changed file is asked about again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import sys
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

from tests.bench.context_packages import Package
from tests.bench.context_samples import Sample

PROCESSES = 2
TOGETHER = 9
"""Samples in one task: jedi keeps what it parsed while it stays in one package."""
MOST_SECONDS = 20
"""For one sample; what takes longer is taken as unresolved and not remembered."""


class TooSlowError(BaseException):
    """jedi thought too long; not an Exception, because jedi catches those."""


Question = tuple[str, str, list[tuple[str, int, int]]]
"""The file, its text, and each name with its line from 1 and column from 0."""


def resolve(packages: Sequence[tuple[Package, list[Sample]]], memory: Path) -> dict[str, frozenset[str]]:
    """Return the names of each sample that jedi finds in another file of the pool, by the sample's name."""
    known = _remembered(memory)
    keys: dict[str, str] = {}
    tasks: list[tuple[str, str, list[tuple[str, Question]]]] = []
    for package, samples in packages:
        key_of_package = digest(package)
        questions = []
        for sample in samples:
            keys[sample.name] = key = f"{key_of_package}:{sample.path}:{sample.line}"
            if key not in known:
                asked = [(name.text, sample.line + 1, name.column) for name in sample.names]
                questions.append((key, (sample.path, package.files[sample.path], asked)))
        for start in range(0, len(questions), TOGETHER):
            tasks.append((str(package.root), package.name, questions[start : start + TOGETHER]))
    if tasks:
        _ask(tasks, known, memory)
    return {
        sample.name: frozenset(
            name
            for name, path in known.get(keys[sample.name], {}).items()
            if path in package.files and path != sample.path and path not in sample.copies
        )
        for package, samples in packages
        for sample in samples
    }


def _ask(tasks: Sequence[Any], known: dict[str, dict[str, str]], memory: Path) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool, memory.open("a", encoding="utf-8") as file:
        for number, answers in enumerate(pool.map(answer, tasks), 1):
            known.update(answers)
            file.writelines(json.dumps([key, found]) + "\n" for key, found in answers.items())
            file.flush()
            print(f"resolved {number} of {len(tasks)} tasks", file=sys.stderr)


def answer(task: tuple[str, str, list[tuple[str, Question]]]) -> dict[str, dict[str, str]]:
    """Return, for each question's key, the names found and the file of each, relative to the package's folder."""
    import jedi

    root, _name, questions = task
    jedi.settings.cache_directory = str(Path(root).parent / ".jedi")
    # The parent of a folder that is a package itself; nothing of this environment but the standard library.
    top = Path(root).parent if (Path(root) / "__init__.py").exists() else Path(root)
    top = top / "src" if (top / "src").is_dir() else top
    standard = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    project = jedi.Project(root, sys_path=[str(top), *standard], smart_sys_path=False)
    environment = jedi.api.environment.InterpreterEnvironment()
    found: dict[str, dict[str, str]] = {}
    signal.signal(signal.SIGALRM, _too_slow)
    for key, (path, text, names) in questions:
        signal.alarm(MOST_SECONDS)
        try:
            script = jedi.Script(text, path=Path(root) / path, project=project, environment=environment)
            found[key] = {name: target for name, *place in names if (target := _target(script, place, Path(root)))}
        except TooSlowError:
            print(f"jedi gave up on {path}", file=sys.stderr)
        finally:
            signal.alarm(0)
    return found


def _target(script: Any, place: Sequence[int], root: Path) -> str:
    try:
        definitions = script.goto(*place, follow_imports=True)
    except Exception:  # jedi fails in many ways on code it does not understand; the name is unresolved then.
        return ""
    for one in definitions:
        if one.module_path is not None and Path(one.module_path).is_relative_to(root):
            return Path(one.module_path).relative_to(root).as_posix()
    return ""


def _too_slow(_number: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def digest(package: Package) -> str:
    """Return what changes when any file of the package, or jedi, does."""
    import jedi

    made = hashlib.sha256(jedi.__version__.encode())
    for path, text in sorted(package.files.items()):
        made.update(f"{path}\0{text}\0".encode("utf-8", "surrogatepass"))
    return made.hexdigest()[:24]


def _remembered(memory: Path) -> dict[str, dict[str, str]]:
    if not memory.exists():
        return {}
    return dict(json.loads(line) for line in memory.read_text(encoding="utf-8").splitlines())
