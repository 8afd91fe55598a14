"""Places where no model is asked, each with a sentence that says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dragoman.completion.policy import CompletionPolicy
from dragoman.completion.query import CompletionQuery, Outcome
from dragoman.limits import BINARY_PROBE_LINES, LONG_LINE_CHARS
from dragoman.security.paths import is_secret_path, resolved


def refuse(query: CompletionQuery, policy: CompletionPolicy) -> Outcome | None:
    """Return why there can be no suggestion here whatever the model, None when there can."""
    if not policy.enabled:
        return Outcome(reason="disabled", detail="Completion is switched off (completion.enabled).")
    if query.language in policy.excluded_languages:
        return Outcome(
            reason="language_excluded",
            detail=f"Completion is off for {query.language!r} files (completion.languages.exclude).",
        )
    if query.trigger == "automatic" and not policy.automatic:
        return Outcome(
            reason="disabled", detail='Suggestions come only when asked for (completion.trigger = "invoked").'
        )
    if len(query.text.line(query.line)) > LONG_LINE_CHARS:
        return Outcome(reason="too_large", detail=f"The line is longer than {LONG_LINE_CHARS:,} characters.")
    if _looks_binary(query):
        return Outcome(reason="binary", detail="The file is not text.")
    return None


def refuse_for_target(
    query: CompletionQuery, *, remote: bool, is_ignored: Callable[[str], bool] = lambda _uri: False
) -> Outcome | None:
    """Return why this document must not go to the chosen model, None when it may.

    ``is_ignored`` tells whether the project keeps a file, by its URI, out of what Dragoman reads.
    A link is judged by its own name and by the file that it leads to.
    """
    if not remote:
        return None
    parts = urlsplit(query.uri)
    path = Path(unquote(parts.path))
    if is_secret_path(path):
        return Outcome(
            reason="ignored_file",
            detail=f"{path.name!r} looks like a file of keys: it is never sent to another machine.",
        )
    # Only a file can be a link; an untitled document has nothing but its name.
    target = resolved(path) if parts.scheme == "file" else path
    if is_ignored(query.uri) or (target != path and is_ignored(target.as_uri())):
        return Outcome(
            reason="ignored_file",
            detail=f"{path.name!r} is ignored in this project: it is never sent to another machine.",
        )
    return None


def _looks_binary(query: CompletionQuery) -> bool:
    first = max(0, query.line - BINARY_PROBE_LINES // 2)
    last = min(query.text.line_count, query.line + BINARY_PROBE_LINES // 2)
    return any("\0" in query.text.line(index)[:LONG_LINE_CHARS] for index in range(first, last))
