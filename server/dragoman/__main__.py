"""``python -m dragoman`` and the ``dragoman`` command: the language server by the shortest way, everything else through cli."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    if sys.argv[1:2] == ["lsp"]:
        from dragoman.start import serve_editor

        sys.exit(serve_editor(sys.argv[2:]))
    from dragoman.cli import main as run_cli

    sys.exit(run_cli())


if __name__ == "__main__":
    main()
