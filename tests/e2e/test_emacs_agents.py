"""Agents in Emacs with Eglot: code actions, diagnostics and documents, nothing of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.agent_scene import BLOCKS, CART, EDITED, FINDINGS, open_agent_scene
from tests.support.emacs import run_emacs
from tests.support.readme import config_block
from tests.support.scene import Scene

pytestmark = pytest.mark.editor


def command(name: str, uri: str, **argument: str) -> str:
    """Return the form that runs a command of the server."""
    more = " ".join(f":{key} {json.dumps(value)}" for key, value in argument.items())
    return (
        f'(jsonrpc-request (eglot-current-server) :workspace/executeCommand (list :command "dragoman.{name}" '
        f":arguments (vector (list :uri {json.dumps(uri)} {more}))))"
    )


def opened(scene: Scene, name: str, text: str) -> str:
    """Write a file and return the form that opens it."""
    return f"(progn (open-file {json.dumps(str(scene.write(name, text)))}) t)"


def until_text(text: str) -> str:
    return f'(progn (wait-until "the text" (lambda () (equal (text) {json.dumps(text)}))) t)'


def test_an_edit_arrives_hunk_by_hunk(tmp_path: Path) -> None:
    with open_agent_scene(tmp_path, text=BLOCKS) as scene:
        uri = (scene.workspace / "cart.py").as_uri()
        run_emacs(
            config_block("Emacs", "elisp"),
            [
                "(setq eglot-confirm-server-initiated-edits nil)",
                opened(scene, "cart.py", CART),
                command("edit", uri, instruction="items have prices"),
                until_text(EDITED),
            ],
            scene,
        )


def test_findings_are_diagnostics(tmp_path: Path) -> None:
    with open_agent_scene(tmp_path, text=FINDINGS) as scene:
        uri = (scene.workspace / "cart.py").as_uri()
        found = (
            '(progn (wait-until "findings" (lambda () (= 2 (length (flymake-diagnostics)))))'
            " (sort (mapcar #'flymake-diagnostic-text (flymake-diagnostics)) #'string<))"
        )
        told = run_emacs(
            config_block("Emacs", "elisp"),
            [opened(scene, "cart.py", CART), command("review", uri), found],
            scene,
        )[-1]
        assert ["Items have prices." in told[0], "Always nothing." in told[1]] == [True, True], told


def test_a_question_in_a_chat_document_is_answered_below(tmp_path: Path) -> None:
    with open_agent_scene(tmp_path, text="Four.") as scene:
        uri = (scene.workspace / "talk.chat.md").as_uri()
        wanted = "What is two and two?\n\n## Dragoman\n\nFour.\n\n## You\n\n"
        run_emacs(
            config_block("Emacs", "elisp"),
            [
                "(setq eglot-confirm-server-initiated-edits nil)",
                "(progn (add-hook 'text-mode-hook #'eglot-ensure) t)",
                "(progn (add-to-list 'auto-mode-alist '(\"\\\\.md\\\\'\" . text-mode)) t)",
                opened(scene, "talk.chat.md", "What is two and two?\n"),
                command("ask", uri),
                until_text(wanted),
            ],
            scene,
        )


def test_an_explanation_is_written_to_a_file_that_the_user_is_told_of(tmp_path: Path) -> None:
    with open_agent_scene(tmp_path, text="It adds up\nwhat is there.") as scene:
        uri = (scene.workspace / "cart.py").as_uri()
        (told,) = run_emacs(
            config_block("Emacs", "elisp"),
            [
                opened(scene, "cart.py", CART),
                command("explain", uri),
                (
                    '(wait-until "the name of a file" (lambda () (seq-find (lambda (one) (string-prefix-p "Dragoman answers" one)) '
                    "seen-messages)))"
                ),
                (
                    '(let ((path (substring (car seen-messages) (length "Dragoman answers in "))))'
                    '  (wait-until "the explanation" (lambda () (with-temp-buffer (insert-file-contents path)'
                    '    (and (string-suffix-p "what is there.\n" (text)) (text))))))'
                ),
            ],
            scene,
        )[-1:]
        # Eglot cannot be shown a document, and would ask before each change of one that is not open.
        assert told == "# Explain cart.py\n\nIt adds up\nwhat is there.\n"
