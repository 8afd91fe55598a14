"""A model that explains itself does not complete code."""

from __future__ import annotations

import re

from dragoman.completion.postprocess.place import Place

_PROSE = re.compile(
    r"(?i)\A\s*(?:here(?:'s| is| are)\b|sure[,!. ]|certainly[,!. ]|of course[,!. ]|as an ai\b|i(?:'m| am) sorry\b"
    r"|the (?:above|following|given|provided) (?:code|function|snippet)\b|this (?:code|function|snippet) \w+s\b"
    r"|you can use\b|to (?:fix|solve|complete) this\b|in this (?:code|example|solution)\b|explanation:|note that\b)"
)
_COMMENT_MARKS = ("#", "//", "/*", "*", "--", ";", "%", '"""', "'''", "<!--")


def drop_prose(text: str, place: Place) -> str:
    """Return nothing when the text talks about code outside of a comment or string; cut prose that follows code."""
    head = place.head.strip()
    if head.startswith(_COMMENT_MARKS) or head.count('"') % 2 or head.count("'") % 2:
        return text
    if place.at_start and _PROSE.match(text):
        return ""
    lines = text.split("\n")
    for index in range(1, len(lines)):
        if _PROSE.match(lines[index]):
            return "\n".join(lines[:index]).rstrip()
    return text
