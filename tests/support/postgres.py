"""A real PostgreSQL 15 for tests: one server a session, in a folder of its own, run by a user without rights.

It listens on a Unix socket and on loopback, asks for a password there, and writes nothing to the disk that must survive.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support import tools

START_LIMIT_S = 60.0
USER = "dragoman"


@dataclass(frozen=True)
class Postgres:
    """A running server: `url` names a database on it."""

    port: int
    password: str

    def url(self, name: str = "postgres", *, password: str | None = None) -> str:
        return f"postgresql+psycopg://{USER}:{password or self.password}@127.0.0.1:{self.port}/{name}"

    def execute(self, *statements: str, name: str = "postgres") -> None:
        """Run statements, each by itself."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname=name, autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make a database, yield its name, and drop it."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """Start a server and stop it; raises ToolError when it cannot be installed."""
    programs = tools.install("postgres").parent
    folder = Path(tempfile.mkdtemp(prefix="dragoman-postgres-"))
    password = secrets.token_hex(8)
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    try:
        (folder / "password").write_text(password, encoding="ascii")
        if user is not None:
            found = pwd.getpwnam(user)
            for path in (folder, folder / "password"):
                os.chown(path, found.pw_uid, found.pw_gid)
        data = folder / "data"
        command = [str(programs / "initdb"), "-D", str(data), "-U", USER, "--pwfile", str(folder / "password")]
        command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"]
        _run(command, user, folder)
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
            "max_connections": "60",
        }
        command = [str(programs / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        log = (folder / "log").open("wb")
        with (
            log,
            subprocess.Popen(
                command, user=user, group=user, extra_groups=[] if user else None, cwd=folder, stdout=log, stderr=log
            ) as process,
        ):
            watchdog = threading.Timer(START_LIMIT_S, process.kill)
            watchdog.start()
            server = Postgres(port, password)
            try:
                while not _answers(server):
                    if process.poll() is not None:
                        raise RuntimeError(f"PostgreSQL ended: {(folder / 'log').read_text(errors='replace')[-2000:]}")
                    time.sleep(0.05)
                watchdog.cancel()
                yield server
            finally:
                watchdog.cancel()
                # "Immediate": there is nothing to keep.
                process.send_signal(signal.SIGQUIT)
                process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(server: Postgres) -> bool:
    import psycopg

    try:
        server.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _run(command: list[str], user: str | None, folder: Path) -> None:
    done = subprocess.run(
        command,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=START_LIMIT_S,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]!r} failed: {done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
