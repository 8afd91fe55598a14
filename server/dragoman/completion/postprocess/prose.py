"""A model that explains itself does not complete code."""

from __future__ import annotations

import re

from dragoman.completion.postprocess.place import Place

_PROSE = re.compile(
    r"(?i)\A\s*(?:here(?:'s| is| are)\b|(?:sure|certainly|of course|okay|sorry)[,!.](?:\s|\Z)|(?:sure|certainly) here\b"
    r"|as an ai\b|i(?:'m| am) (?:sorry|not able|unable)\b|i (?:cannot|can't|can|will|would|think|have)\b|i'll\b"
    r"|let(?: me|'s) [a-z]+\b|please (?:note|provide|let)\b|as you can see\b|it (?:looks|seems)\b"
    r"|the (?:above|following|given|provided|corrected|updated)? ?(?:code|function|method|snippet|class) "
    r"(?:\w+ )?(?:is|should|will|returns?|takes|does|defines|above|below|you|uses|needs)\b"
    r"|the (?:above|following|given|provided) (?:code|function|snippet)\b"
    r"|this (?:code|function|method|snippet|class|script|program) \w+s?\b"
    r"|(?:you|we) (?:can|should|need|could) \w+\b|to (?:fix|solve|complete|use|run) th(?:is|e)\b"
    r"|in this (?:code|example|solution|function)\b|note that\b"
    r"|(?:explanation|example usage|usage example|example output|expected output|output|answer|solution):\s*(?:\n|\Z))"
)
_ASSIGNMENT = re.compile(r"\s*[\w., ]+ [-+*/|&]?:?= ")
_COMMENT_MARKS = ("#", "//", "/*", "*", "--", ";", "%", '"""', "'''", "<!--")
_PROSE_LANGUAGES = frozenset({"markdown", "plaintext", "restructuredtext", "asciidoc", "latex", "git-commit"})


def drop_prose(text: str, place: Place) -> str:
    """Return nothing when the text talks about code outside of a comment or string; cut prose that follows code."""
    head = place.head.strip()
    if place.language in _PROSE_LANGUAGES:
        return text
    if head.startswith(_COMMENT_MARKS) or head.count('"') % 2 or head.count("'") % 2 or head.endswith(">"):
        return text
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if (index or place.at_start) and _PROSE.match(line) and not _ASSIGNMENT.match(line):
            return "\n".join(lines[:index]).rstrip()
    return text
