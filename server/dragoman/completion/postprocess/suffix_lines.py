"""Lines that stand after the cursor are not written a second time."""

from __future__ import annotations

from dragoman.completion.postprocess.place import Place


def cut_repeated_lines(text: str, place: Place) -> str:
    """End the text before a run of lines that repeats the next lines of the document.

    A single short line (a bracket, ``else:``) may legitimately come twice: it is cut at the text's end only.
    """
    following = [line.strip() for line in place.following if line.strip()]
    if not following:
        return text
    lines = text.split("\n")
    for index in range(1, len(lines)):
        stripped = lines[index].strip()
        if stripped != following[0] or not stripped:
            continue
        rest = [line.strip() for line in lines[index:] if line.strip()]
        matched = sum(1 for ours, theirs in zip(rest, following, strict=False) if ours == theirs)
        telling = sum(char.isalnum() for char in stripped) >= 4
        if telling or matched == len(rest):
            return "\n".join(lines[:index]).rstrip()
    return text
