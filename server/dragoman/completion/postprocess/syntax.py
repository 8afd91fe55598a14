"""A suggestion that would break the document is shortened to the part that does not, or dropped."""

from __future__ import annotations

from dragoman.completion.postprocess.brackets import open_ends
from dragoman.completion.postprocess.place import Place
from dragoman.completion.structure import parses, trim_to_border, without_surplus
from dragoman.syntax.window import Window


def require_syntax(text: str, place: Place) -> str:
    """Return as much of the text as the document's syntax takes in, nothing when it takes none.

    What was cut off in the middle ends at the last border that is whole.
    Who asked by hand gets the text as it is when nothing of it parses: then it is for the user to judge.
    Without a loaded grammar the text stays as it is.
    """
    window = place.window
    if window is None or not text.strip():
        return text
    if place.cut and "\n" in text:
        text = trim_to_border(window, text, cut=place.cut)
    if parses(window, text) is not False or _is_begun(window, text, place):
        return text
    shorter = without_surplus(window, text) or trim_to_border(window, text, cut="line")
    if shorter != text and parses(window, shorter) is not False:
        return shorter
    return text if place.invoked else ""


def _is_begun(window: Window, text: str, place: Place) -> bool:
    """Tell whether a text of one line parses once what is open behind it is closed: the head of a block, half a string."""
    half_string = open_ends(place.head).startswith(('"', "'", "`"))
    begun = half_string or (text.rstrip().endswith(("{", "(", "[")) and place.cut != "length")
    if "\n" in text or place.rest.strip() or not begun:
        return False
    owed = open_ends(place.head + text)
    return bool(owed) and any(parses(window, text + more) for more in (owed, owed + ";", " " + owed, "\n" + owed))
