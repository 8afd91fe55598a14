"""``python -m dragoman`` and the ``dragoman`` command: the language server by the shortest way, everything else through cli."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    if sys.argv[1:2] == ["lsp"]:
        sys.exit(_lsp(sys.argv[2:]))
    from dragoman.cli import main as run_cli

    sys.exit(run_cli())


def _lsp(arguments: list[str]) -> int:
    """Answer the client first and import the rest of the server afterwards."""
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


if __name__ == "__main__":
    main()
