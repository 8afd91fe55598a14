"""Logs go to a bounded file or to stderr, never to stdout, and hold no keys."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman.errors import SettingsError
from dragoman.monitoring import bug, logs
from dragoman.monitoring.redacting import redact


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    chatty = {name: logging.getLogger(name).level for name in logs.CHATTY}
    yield
    logs.close_logs()
    root.setLevel(level)
    for name, old in chatty.items():
        logging.getLogger(name).setLevel(old)


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_file_gets_one_json_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "dragoman.log"
    logs.configure_logs(file=file, environ={})
    logger = logging.getLogger("dragoman.test")
    logger.info("hello\nworld %s", "é", extra={"model": "m"})
    logger.debug("not heard")
    try:
        raise ValueError("boom")
    except ValueError:
        logger.exception("failed")
    first, second = entries(file)
    assert first["message"] == "hello\nworld é"
    assert (first["log.level"], first["log.logger"], first["dragoman"]) == ("info", "dragoman.test", {"model": "m"})
    assert second["error.type"] == "ValueError"
    assert "boom" in str(second["error.stack_trace"])
    assert file.stat().st_mode & 0o077 == 0


def test_the_environment_beats_the_setting_and_an_unknown_level_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    logs.configure_logs(file=file, level="error", environ={"DRAGOMAN_LOG": "DEBUG"})
    logging.getLogger("dragoman.x").debug("heard")
    assert len(entries(file)) == 1
    with pytest.raises(SettingsError, match="'loud' is not a log level"):
        logs.configure_logs(level="loud", environ={})


def test_configuring_again_replaces_the_first_destination(tmp_path: Path) -> None:
    logs.configure_logs(file=tmp_path / "a.log", environ={})
    logs.configure_logs(file=tmp_path / "b.log", style="text", environ={})
    logging.getLogger("dragoman.x").warning("only once")
    assert (tmp_path / "a.log").read_text() == ""
    assert "warning x: only once" in (tmp_path / "b.log").read_text()


def test_a_file_that_cannot_be_written_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written") as caught:
        logs.configure_logs(file=tmp_path / "file" / "x.log", environ={})
    assert "--log-file" in caught.value.hint


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 4000)
    file = tmp_path / "x.log"
    logs.configure_logs(file=file, environ={})
    for number in range(300):
        logging.getLogger("dragoman.x").info("line %d", number)
    logging.getLogger("dragoman.x").info("x" * 100_000)
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ["x.log", "x.log.1", "x.log.2"]
    assert sum(path.stat().st_size for path in kept) < 3 * 4000 + logs.LINE_CHARACTERS + 1000


def test_nothing_reaches_stdout_and_a_closed_stderr_hurts_nobody() -> None:
    program = (
        "import logging, os, warnings\n"
        "from dragoman.monitoring.logs import configure_logs\n"
        "configure_logs(level='debug', environ={})\n"
        "logging.getLogger('dragoman.a').error('shown'); warnings.warn('a warning')\n"
        "os.close(2)\n"
        "logging.getLogger('dragoman.a').error('lost')\n"
        "print('end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "end\n"
    assert "error   a: shown" in done.stderr
    assert "a warning" in done.stderr


def test_the_light_path_does_not_load_structlog_or_pydantic() -> None:
    program = (
        "import sys, dragoman.monitoring.logs; print({'structlog', 'pydantic', 'rich', 'httpx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "set()\n"


SECRET = "Zx9" * 8


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"{{'authorization': 'Bearer {SECRET}'}}",
        f"headers=[(b'Authorization', b'Bearer {SECRET}')]",
        f'"x-api-key": "{SECRET}"',
        f"api_key={SECRET}&x=1",
        f"password: {SECRET}",
        f"sent bearer {SECRET} there",
        f"key sk-{SECRET} is wrong",
        f"sk-proj-{SECRET}",
        f"ghp_{SECRET}",
        f"hf_{SECRET}",
        f"http://me:{SECRET}@proxy:3128/",
        f"cookie: session={SECRET}",
        f"eyJ{SECRET}.eyJ{SECRET}.{SECRET}",
    ],
)
def test_secrets_are_hidden_in_every_form(text: str, tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    logs.configure_logs(file=file, environ={})
    logger = logging.getLogger("dragoman.x")
    logger.info("said %s", text, extra={"detail": text})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logger.exception("failed")
    assert SECRET not in file.read_text()
    assert "[hidden]" in file.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:11434/api/tags took 3 ms",
        "prompt of 300 tokens, 12 tokens/s",
        "task-list and risk-free",
        "the keyring has no key",
        "qwen2.5-coder:1.5b@sha256",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


async def test_what_nobody_caught_is_reported_as_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    before, old = len(bug.recorded), loop.get_exception_handler()
    logs.install_loop_handler(loop)
    try:
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reported = list(bug.recorded)[before:]
        assert len(reported) == 1
        assert "ZeroDivisionError" in caplog.text
    finally:
        loop.set_exception_handler(old)
        while len(bug.recorded) > before:
            bug.recorded.pop()
