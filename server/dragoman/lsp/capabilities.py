"""What the server tells the client in its answer to ``initialize``: plain dictionaries, one table.

Stdlib only: the answer goes out before anything heavy is imported, and the full server sends this same table over TCP.
Every entry must have its handler in `dragoman.lsp.features.FEATURES`; a test compares the two.
"""

from __future__ import annotations

from dragoman import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMANDS = (
    "dragoman.status",
    "dragoman.acceptCompletion",
    "dragoman.cancel",
    "dragoman.selectModel",
    "dragoman.pullModel",
    "dragoman.showNextEdit",
    "dragoman.showContext",
    "dragoman.explain",
    "dragoman.edit",
    "dragoman.fix",
    "dragoman.document",
    "dragoman.test",
    "dragoman.simplify",
    "dragoman.review",
    "dragoman.reviewChanges",
    "dragoman.chat",
    "dragoman.ask",
    "dragoman.runAgent",
    "dragoman.commitMessage",
    "dragoman.pullRequest",
    "dragoman.approve",
    "dragoman.acceptEdit",
    "dragoman.rejectEdit",
    "dragoman.dismissFinding",
    "dragoman.agents",
    "dragoman.conversations",
)
"""Commands that do something in this version."""

TRIGGER_CHARACTERS = (" ", ".", "(", "[", "{", ",", "=", ":", "<", ">", "/", "@", "#", "*", "-", "+", '"', "'")
"""Where clients with a completion menu ask by themselves, besides word characters."""

WORD_CHARACTERS = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
"""Neovim's menu asks by itself only after the characters it is told."""

ENCODINGS = ("utf-32", "utf-8")
"""Position encodings in the order of cost: our text counts code points, so utf-32 needs no conversion at all, and
utf-8 and utf-16 cost the same on lines that are not ASCII; utf-16 is what a client gets that offers neither."""


def choose_encoding(client: dict[str, Any]) -> str:
    """Pick the position encoding from the client's capabilities."""
    general = client.get("general")
    offered = general.get("positionEncodings") if isinstance(general, dict) else None
    if isinstance(offered, list):
        for encoding in ENCODINGS:
            if encoding in offered:
                return encoding
    return "utf-16"


def offers_inline_completion(client: dict[str, Any]) -> bool:
    """Tell whether the client can show ghost text."""
    text_document = client.get("textDocument")
    return isinstance(text_document, dict) and isinstance(text_document.get("inlineCompletion"), dict)


def pulls_diagnostics(client: dict[str, Any]) -> bool:
    """Tell whether the client asks for diagnostics, again too when it is told to; without that findings could not stream."""
    text_document, workspace = client.get("textDocument"), client.get("workspace")
    pulls = isinstance(text_document, dict) and isinstance(text_document.get("diagnostic"), dict)
    diagnostics = workspace.get("diagnostics") if isinstance(workspace, dict) else None
    return pulls and isinstance(diagnostics, dict) and diagnostics.get("refreshSupport") is True


def server_capabilities(client: dict[str, Any], client_name: object = None) -> dict[str, Any]:
    """Return the ``ServerCapabilities`` for a client with these capabilities and this name."""
    table: dict[str, Any] = {
        "positionEncoding": choose_encoding(client),
        "textDocumentSync": {"openClose": True, "change": 2, "save": {"includeText": False}},
        "inlineCompletionProvider": {},
        "codeActionProvider": {"codeActionKinds": ["quickfix", "refactor.rewrite"], "resolveProvider": False},
        "executeCommandProvider": {"commands": list(COMMANDS)},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    if pulls_diagnostics(client):
        table["diagnosticProvider"] = {
            "identifier": "dragoman",
            "interFileDependencies": False,
            "workspaceDiagnostics": False,
        }
    if not offers_inline_completion(client):
        # A client with ghost text would show the same suggestion a second time in its menu.
        triggers = TRIGGER_CHARACTERS + (WORD_CHARACTERS if client_name == "Neovim" else ())
        table["completionProvider"] = {"triggerCharacters": list(triggers), "resolveProvider": False}
    return table


def initialize_result(params: dict[str, Any]) -> dict[str, Any]:
    """Return the whole answer to ``initialize`` with these params."""
    client, info = params.get("capabilities"), params.get("clientInfo")
    return {
        "capabilities": server_capabilities(
            client if isinstance(client, dict) else {}, info.get("name") if isinstance(info, dict) else None
        ),
        "serverInfo": {"name": "dragoman", "version": __version__},
    }
