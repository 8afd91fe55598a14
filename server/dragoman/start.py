"""The shortest way to a language server: only what the reply to ``initialize`` needs is imported before it is sent."""

from __future__ import annotations

import sys


def serve_editor(arguments: list[str]) -> int:
    """Run ``dragoman lsp``: answer the client first, import the rest of the server afterwards; returns the exit code."""
    from dragoman.lsp.options import USAGE, UsageError, parse_options

    try:
        options = parse_options(arguments)
    except UsageError as error:
        sys.stderr.write(f"dragoman lsp: {error}\n")
        return 2
    if options.help:
        sys.stdout.write(USAGE)
        return 0
    handshake = None
    if options.tcp is None:
        from dragoman.lsp.handshake import claim_stdio, shake_hands

        try:
            handshake = shake_hands(*claim_stdio())
        except (OSError, KeyboardInterrupt) as error:
            sys.stderr.write(f"dragoman lsp: the client is gone before it initialized ({error}).\n")
            return 1
        if handshake.exit_code is not None:
            return handshake.exit_code

    import asyncio

    from dragoman.editor import run_language_server

    return asyncio.run(run_language_server(options, handshake))
