"""Where the change that the user has just made is due next: patterns of edits, without a model and without an editor's types."""

from dragoman.completion.next_edit.engine import NextEdits
from dragoman.completion.next_edit.patterns import NextEdit

__all__ = ["NextEdit", "NextEdits"]
