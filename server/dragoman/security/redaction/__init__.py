"""Takes secrets out of text before it leaves this machine, and puts them back in what comes.

Imported only when a provider on another machine is used: the tables of `formats` take some time to compile.
"""

from dragoman.security.redaction.placeholders import StreamRestorer
from dragoman.security.redaction.redactor import Redactor

__all__ = ["Redactor", "StreamRestorer"]
