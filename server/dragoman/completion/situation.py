"""Where in the syntax a cursor stands, and so whether one line or several belong there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dragoman.syntax.faults import CLOSER_OF, open_brackets
from dragoman.syntax.languages import COMMENTS, INTERPOLATIONS, STRINGS
from dragoman.syntax.window import Window, encode

if TYPE_CHECKING:
    from tree_sitter import Node

_UNDECIDED = frozenset({"markdown"})
_BODY_AFTER_COLON = re.compile(
    r"\s*(?:(?:async\s+)?(?:def|class|if|elif|for|while|with|match|case|except)\b|(?:else|try|finally)\s*:|[)\]}])"
)
_LABEL = re.compile(r"\s*(?:case\b.*|default\s*|(?:public|private|protected|signals|slots)\b[\w ]*):\Z")
_BODY_AFTER_ARROW = {
    "=>": frozenset({"javascript", "typescript", "rust", "c_sharp", "scala"}),
    "->": frozenset({"java", "kotlin"}),
}
_ENDS_IN_WORD = re.compile(r"(?<![\w.$@])(?:do|then|begin|else|try)\Z")
_BLOCK_PARAMETERS = re.compile(r"\b(?:do|\{) \|[\w, ]*\|\Z")
_PARAMETERS = frozenset({
    "formal_parameters", "function_value_parameters", "method_parameters", "parameter_list", "parameters",
})  # fmt: skip
_HEADS = re.compile(rb"\b(?:if|while|for|foreach|switch|catch|using|lock|synchronized|when|with)\s*(?:await\s*)?\Z")
_OPEN_TAGS = frozenset({"jsx_opening_element", "start_tag"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_BLOCK_COMMENT_ENDS = (b"*/", b"-->", b"]]", b"=end")


def wants_lines(window: Window, head: str) -> bool | None:
    """Tell whether what belongs at the cursor may go over the line's end; None where the text alone must tell.

    ``head`` is the cursor's line before it; behind it stand at most closers.
    Several lines belong into an empty line and behind what opens a block, a tag, or the head of a body that is not there.
    One belongs into a string or a comment, behind a whole statement or in the middle of one.
    """
    if window.grammar.name in _UNDECIDED:
        return None
    if in_words(window, head):
        return False
    code = head.rstrip()
    if not code:
        return True
    end = window.head + len(encode(code))
    leaf = window.leaf_before(end)
    if leaf is None:
        return None
    last = code[-1]
    if last in CLOSER_OF:
        return True
    if last == ":":
        return _colon_opens(window, code, end)
    if code.endswith(tuple(_BODY_AFTER_ARROW)):
        return window.grammar.name in _BODY_AFTER_ARROW[code[-2:]]
    if last == ")":
        return _lacks_body(window, leaf)
    if last == ">":
        return _opens_tag(leaf)
    if _BLOCK_PARAMETERS.search(code):
        return True
    return window.grammar.name != "python" and _ENDS_IN_WORD.search(code) is not None


def in_words(window: Window, head: str) -> bool:
    """Tell whether the cursor is inside of a string, code inside of a string, or a comment."""
    node = window.leaf_before(window.cursor)
    while node is not None:
        kind = node.type
        if node.start_byte < window.cursor:
            if kind in COMMENTS:
                return window.cursor < node.end_byte or not _ended(window, node)
            if kind in STRINGS and window.cursor < node.end_byte:
                return True
            if kind in INTERPOLATIONS and window.head <= node.start_byte and window.cursor < node.end_byte:
                return True
        node = node.parent
    return window.tree.root_node.has_error and _leaves_quote(head)


def _ended(window: Window, comment: Node) -> bool:
    """Tell whether a comment that ends at the cursor has an end of its own, other than the line's."""
    return window.source[comment.start_byte : comment.end_byte].endswith(_BLOCK_COMMENT_ENDS)


def _leaves_quote(head: str) -> bool:
    """Tell whether a line of a text that does not parse leaves a string open."""
    quote = ""
    escaped = False
    for index, char in enumerate(head[-1000:]):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in '"`' or (char == "'" and not head[index - 1 : index].isalnum()):
            quote = char
    return bool(quote) and quote != "'"


def _colon_opens(window: Window, code: str, end: int) -> bool:
    """Tell whether the colon at the end of ``code`` opens a body and is no type's, key's or slice's."""
    if window.grammar.name == "yaml":
        return True
    if window.grammar.name != "python":
        return _LABEL.match(code) is not None
    if _BODY_AFTER_COLON.match(code) is None:
        return False
    opened = open_brackets(window.grammar, window.tree, start=window.head, end=end)
    leaf = window.leaf_before(end)
    return not opened and (leaf is None or leaf.parent is None or leaf.parent.type != "lambda")


def _lacks_body(window: Window, leaf: Node) -> bool:
    """Tell whether a closing parenthesis ends the head of a function, a condition or a loop whose body is not there."""
    parent = leaf.parent
    if parent is None or leaf.type != ")":
        return False
    if parent.type in _PARAMETERS:
        return True
    opener = next((child for child in parent.children if child.type == "(" and child.end_byte <= leaf.start_byte), None)
    return (
        opener is not None
        and _HEADS.search(window.source[max(0, opener.start_byte - 40) : opener.start_byte]) is not None
    )


def _opens_tag(leaf: Node) -> bool:
    parent = leaf.parent
    if parent is None or parent.type not in _OPEN_TAGS:
        return False
    name = parent.named_child(0)
    return name is None or name.text is None or name.text.decode(errors="replace").lower() not in _VOID
