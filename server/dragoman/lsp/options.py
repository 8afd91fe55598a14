"""The arguments of ``dragoman lsp``, read without a library: an argument parser would cost more than the whole handshake."""

from __future__ import annotations

USAGE = """\
Usage: dragoman lsp [--stdio | --tcp HOST:PORT] [--config FILE] [--log-file FILE]

Runs the language server; editors start it.

  --stdio            talk on standard input and output (the default)
  --tcp HOST:PORT    wait for one client at an address instead (port 0: any; the address is written to stderr)
  --config FILE      read FILE instead of the user's configuration file
  --log-file FILE    write the log to FILE instead of stderr
  --help             show this text
"""

_WITH_VALUE = ("--tcp", "--config", "--log-file", "--parent-pid", "--clientProcessId")
"""The last two are what some clients append; the process id in ``initialize`` says the same."""


class UsageError(Exception):
    """The arguments make no sense; the message is one sentence for the user."""


class LspOptions:
    """What the command line asks for; ``tcp`` is (host, port), None for stdio."""

    __slots__ = ("config", "help", "log_file", "tcp")

    def __init__(self) -> None:
        self.tcp: tuple[str, int] | None = None
        self.config: str | None = None
        self.log_file: str | None = None
        self.help = False


def parse_options(arguments: list[str]) -> LspOptions:
    """Read the arguments behind ``dragoman lsp``; raises `UsageError`."""
    options = LspOptions()
    rest = list(arguments)
    stdio = False
    while rest:
        name, assigned, value = rest.pop(0).partition("=")
        if name in ("--help", "-h"):
            options.help = True
        elif name == "--stdio":
            stdio = True
        elif name in _WITH_VALUE:
            if not assigned:
                if not rest:
                    raise UsageError(f"{name} needs a value.")
                value = rest.pop(0)
            _store(options, name, value)
        else:
            raise UsageError(f"{name!r} is not an option of 'dragoman lsp'; see 'dragoman lsp --help'.")
    if stdio and options.tcp is not None:
        raise UsageError("--stdio and --tcp exclude each other.")
    return options


def _store(options: LspOptions, name: str, value: str) -> None:
    if name == "--tcp":
        options.tcp = _address(value)
    elif name == "--config":
        options.config = value
    elif name == "--log-file":
        options.log_file = value


def _address(value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"--tcp needs HOST:PORT, not {value!r}.")
    return host.removeprefix("[").removesuffix("]"), int(port)
