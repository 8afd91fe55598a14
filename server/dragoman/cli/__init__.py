"""The command line: one file per command group, each thin over the parts below."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    No traceback for what went wrong on purpose: one sentence on stderr, and what to do about it.
    """
    from dragoman.cli.application import application
    from dragoman.cli.output import say_error, silence_stdout
    from dragoman.errors import DragomanError

    try:
        application(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="dragoman")
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        silence_stdout()
        return 1
    except DragomanError as error:
        say_error(error)
        return 1
    return 0
