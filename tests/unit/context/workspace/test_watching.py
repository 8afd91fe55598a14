"""The watcher tells of what is wanted, and says when it can hear of nothing."""

from __future__ import annotations

import threading

import watchfiles

from dragoman.context.workspace.watching import Watcher


def test_a_system_without_watches_left_is_said_so(tmp_path, monkeypatch) -> None:
    def no_watches(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watchfiles, "watch", no_watches)
    failed = threading.Event()

    Watcher(tmp_path, lambda _path: True, lambda _paths: None, failed.set).start()

    assert failed.wait(30)


def test_only_what_is_wanted_is_told(tmp_path, monkeypatch) -> None:
    changes = {(1, str(tmp_path / name)) for name in ("wanted.py", "ignored.log")}
    monkeypatch.setattr(watchfiles, "watch", lambda *_arguments, **_options: iter([changes]))
    told: list[list[str]] = []
    heard = threading.Event()

    def changed(paths: list[str]) -> None:
        told.append(paths)
        heard.set()

    Watcher(tmp_path, lambda path: path.endswith(".py"), changed, lambda: None).start()

    assert heard.wait(30)
    assert told == [["wanted.py"]]
