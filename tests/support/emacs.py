"""Drives a real Emacs with Eglot in batch mode: a script of Lisp forms in, their values as JSON out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.scene import WAIT_SECONDS, Scene
from tests.support.tools import require

# What a test's forms may call. Keys go through the command loop, so that every hook runs as for a user.
DRIVER = """
(require 'json)
(setq make-backup-files nil create-lockfiles nil)
(defvar seen-messages nil "What the server told the user, newest first.")
(defvar seen-requests nil "What was asked of the server, newest first.")
(define-advice jsonrpc-connection-send (:before (_connection &rest message) watch)
  (when (plist-get message :method) (push (format "%%s" (plist-get message :method)) seen-requests)))
(define-advice eglot-handle-notification (:before (_server method &rest message) watch)
  (when (eq method 'window/showMessage) (push (plist-get message :message) seen-messages)))
(define-advice eglot-handle-request (:around (run server method &rest message) watch)
  (if (not (eq method 'window/showMessageRequest)) (apply run server method message)
    (push (plist-get message :message) seen-messages) nil))
(defun wait-until (what ask)
  (let ((end (time-add nil %(seconds)s)) answer)
    (while (not (setq answer (funcall ask)))
      (when (time-less-p end nil) (error "Waited in vain for %%s" what))
      (accept-process-output nil 0.02))
    answer))
(defun open-file (path)
  (switch-to-buffer (find-file-noselect path))
  (run-hooks 'post-command-hook)
  (wait-until "a server" #'eglot-current-server))
(defun press (keys) (execute-kbd-macro (kbd keys)))
(defun press-again (keys)
  "Press KEYS until they change something, as a person does: the first press asks, the next waits for the model."
  (let ((before (text)) (left 5))
    (while (and (equal before (text)) (> left 0))
      (press keys)
      (setq left (1- left)))))
(defun text () (buffer-substring-no-properties (point-min) (point-max)))
(defun report ()
  (dolist (buffer (buffer-list))
    (when (string-match-p "EGLOT\\\\|Messages\\\\|Completions" (buffer-name buffer))
      (princ (format "--- %%s\\n%%s\\n" (buffer-name buffer) (with-current-buffer buffer (text)))
             #'external-debugging-output))))
"""

RUN = """
(condition-case problem
    (let ((answers (list %(forms)s)) (coding-system-for-write 'utf-8))
      (with-temp-file %(answers)s (insert (json-encode answers))))
  (error (message "%%S" problem) (report) (kill-emacs 1)))
"""


def run_emacs(config: str, forms: list[str], scene: Scene) -> list[Any]:
    """Run Emacs with a configuration, evaluate `forms` one after the other, leave, and return their values."""
    with open_emacs(config, forms, scene) as process:
        output, _ = process.communicate(timeout=2 * WAIT_SECONDS)
    log = scene.model.log() if scene.model else "no model"
    assert process.returncode == 0, f"Emacs ended with {process.returncode}:\n{output[-20_000:]}\n--- model\n{log}"
    return list(json.loads(_answers(scene).read_text(encoding="utf-8")))


@contextmanager
def open_emacs(config: str, forms: list[str], scene: Scene) -> Iterator[subprocess.Popen[str]]:
    """Yield the process of an Emacs that evaluates `forms` and leaves; it is dead afterwards."""
    program = require("emacs")
    files = {"driver.el": DRIVER % {"seconds": WAIT_SECONDS}, "init.el": config}
    files["run.el"] = RUN % {"answers": json.dumps(str(_answers(scene))), "forms": "\n".join(forms)}
    arguments = [str(program), "--batch", "-f", "package-initialize"]
    for name in ("init.el", "driver.el", "run.el"):
        (scene.folder / name).write_text(files[name], encoding="utf-8")
        arguments += ["-l", str(scene.folder / name)]
    process = subprocess.Popen(
        arguments,
        cwd=scene.workspace,
        env=scene.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=WAIT_SECONDS)


def _answers(scene: Scene) -> Path:
    return scene.folder / "answers.json"
