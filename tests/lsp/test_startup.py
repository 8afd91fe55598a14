"""The early answer to initialize: equal to the full server's, and cheap."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from typing import Any

import pytest

from dragoman.lsp.capabilities import COMMANDS, server_capabilities
from dragoman.lsp.features import FEATURES
from dragoman.lsp.features.commands import COMMANDS as COMMAND_HANDLERS
from dragoman.lsp.features.commands import LATER
from dragoman.lsp.server import create_server
from tests.support.fake_editor import INLINE, ROOT, SCRIPTED, editing, frame
from tests.support.scripted_lsp import ScriptedServices

CLIENTS: list[dict[str, Any]] = [
    {},
    INLINE,
    {"general": {"positionEncodings": ["utf-8", "utf-16"]}},
    {"textDocument": {"diagnostic": {}}, "workspace": {"diagnostics": {"refreshSupport": True}}},
    {"general": {"positionEncodings": ["utf-32", "utf-8", "utf-16"]}, **INLINE},
]

HANDLERS = {
    "textDocumentSync": [
        "textDocument/didOpen",
        "textDocument/didChange",
        "textDocument/didSave",
        "textDocument/didClose",
    ],
    "inlineCompletionProvider": ["textDocument/inlineCompletion"],
    "completionProvider": ["textDocument/completion"],
    "codeActionProvider": ["textDocument/codeAction"],
    "diagnosticProvider": ["textDocument/diagnostic"],
    "executeCommandProvider": ["workspace/executeCommand"],
    "workspace": ["workspace/didChangeWorkspaceFolders"],
    "positionEncoding": [],
}


@pytest.mark.parametrize("name", ["Neovim", None])
@pytest.mark.parametrize("client", CLIENTS)
async def test_the_early_reply_equals_the_full_server_s(client: dict[str, Any], name: str | None) -> None:
    """Over TCP the full server answers; over stdio the handshake does."""
    answers = []
    for transport in ("stdio", "tcp"):
        async with editing(transport, command=SCRIPTED) as editor:  # type: ignore[arg-type]
            answers.append(await editor.initialize(client, clientInfo={"name": name} if name else None))
    assert answers[0] == answers[1]
    assert answers[0]["serverInfo"]["name"] == "dragoman"


@pytest.mark.parametrize("client", CLIENTS)
def test_every_advertised_capability_has_its_handler(client: dict[str, Any]) -> None:
    server = create_server(ScriptedServices)
    registered = set(server.protocol.fm.features)
    assert registered == {feature.method for feature in FEATURES}
    advertised = server_capabilities(client)
    for capability in advertised:
        assert set(HANDLERS[capability]) <= registered
    assert tuple(advertised["executeCommandProvider"]["commands"]) == COMMANDS == tuple(COMMAND_HANDLERS)
    assert not set(COMMANDS) & set(LATER)


def test_the_answer_is_given_before_anything_heavy_is_imported() -> None:
    script = (
        "import sys\n"
        "from dragoman.lsp.options import parse_options\n"
        "from dragoman.lsp.handshake import claim_stdio, shake_hands\n"
        "import dragoman.__main__\n"
        "shake_hands(*claim_stdio())\n"
        "heavy = {'asyncio', 'typing', 'dataclasses', 'inspect', 'logging', 'pygls', 'lsprotocol', 'attrs', 'cattrs', 'pydantic',"
        " 'typer', 'rich', 'httpx', 'argparse'}\n"
        "sys.stderr.write('imported ' + ' '.join(sorted(heavy & set(sys.modules))) + '.')\n"
    )
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}
    done = subprocess.run(
        # -S: what a site's own hooks import is not ours to answer for.
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, 'server')\n{script}"],
        input=frame(message),
        capture_output=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode() == "imported ."
    assert b'"positionEncoding"' in done.stdout


def test_plain_printing_after_the_handshake_goes_to_stderr() -> None:
    script = "from dragoman.lsp.handshake import claim_stdio\nclaim_stdio()\nprint('stray', flush=True)\nprint(repr(input()))"
    done = subprocess.run([sys.executable, "-c", script], input=b"secret\n", capture_output=True, timeout=60)
    assert done.stdout == b""
    assert b"stray" in done.stderr
    assert b"EOFError" in done.stderr  # What the client sends is not readable through the standard input any more.


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--nonsense"], 2, "'--nonsense'"),
        (["--tcp", "nowhere"], 2, "HOST:PORT"),
        (["--tcp"], 2, "needs a value"),
        (["--stdio", "--tcp", "127.0.0.1:0"], 2, "exclude"),
        (["--help"], 0, ""),
    ],
)
def test_wrong_arguments_are_a_sentence_and_2(arguments: list[str], code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dragoman", "lsp", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert ("Usage: dragoman lsp" in done.stdout) == (code == 0)


def test_an_address_that_is_taken_is_a_sentence_and_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run([*SCRIPTED, "--tcp", address], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 1
    assert address in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_of_ipv6_can_be_served_on() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    process = subprocess.Popen([*SCRIPTED, "--tcp", "[::1]:0"], stderr=subprocess.PIPE, cwd=ROOT)
    try:
        assert process.stderr is not None
        with process.stderr:
            line = process.stderr.readline()
            port = re.search(rb"listens on \[::1\]:(\d+)\.", line)
            assert port is not None, line
            with socket.create_connection(("::1", int(port[1]))) as client:
                client.sendall(frame({"jsonrpc": "2.0", "method": "exit"}))
                assert process.wait(60) == 1
    finally:
        process.kill()
        process.wait()


def test_the_sources_of_generated_classes_are_not_kept() -> None:
    """Two MiB that nobody reads."""
    code = "import dragoman.lsp.server, linecache; print(sum(name.startswith('<attrs') for name in linecache.cache))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.strip() == "0", done.stderr


def test_what_some_clients_append_is_tolerated() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dragoman", "lsp", "--clientProcessId=1", "--parent-pid", "1", "--stdio"],
        input=frame({"jsonrpc": "2.0", "method": "exit"}),
        capture_output=True,
        timeout=60,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (1, b"")
