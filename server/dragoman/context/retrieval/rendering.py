"""How chosen lines are written for a model: one block a file, signatures under their class, code as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.context.retrieval.fusion import Chosen
from dragoman.context.snippets import Snippet
from dragoman.context.tokens import count


def render(chosen: Sequence[Chosen]) -> list[Snippet]:
    """Put what was chosen into one snippet for each file's signatures and one for each piece of code.

    The least valuable comes first: what stands nearest to the cursor is read best, and what is replaced first at the
    next question is what costs a server's cache least when it stands last.
    """
    windows = [(one.item.path, one.item.line, one.item.text.count("\n")) for one in chosen if one.item.whole]
    files: dict[tuple[str, bool, int], list[Chosen]] = {}
    for one in chosen:
        item = one.item
        if not item.whole and any(path == item.path and 0 <= item.line - at <= more for path, at, more in windows):
            continue  # It stands in a piece of code that is shown as it is.
        files.setdefault((item.path, item.whole, item.line if item.whole else -1), []).append(one)
    snippets = []
    for (path, whole, _), parts in files.items():
        text = parts[0].item.text if whole else _signatures(parts)
        line = min(part.item.line for part in parts) + 1
        source = max(parts, key=lambda part: part.gain).item.source
        snippets.append(Snippet(source, path, text, count(text), round(sum(part.gain for part in parts), 4), line))
    snippets.sort(key=lambda one: (one.score, one.path, one.line))
    return snippets


def _signatures(parts: Sequence[Chosen]) -> str:
    """Write signatures in the order of their file, members below their class."""
    lines: list[str] = []
    header = ""
    ordered = sorted(parts, key=lambda part: part.item.line)
    classes = {part.item.header for part in ordered if part.item.header}
    for part in ordered:
        item = part.item
        if item.header != header and item.header:
            lines.append(item.header)
        header = item.header
        if item.text in classes and not item.header:
            # Its members follow, with this line above them.
            continue
        lines.append(f"    {item.text}" if item.header else item.text)
    return "\n".join(lines)
