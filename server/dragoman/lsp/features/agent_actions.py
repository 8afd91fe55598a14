"""Code actions that a model carries out: repairs of diagnostics, work on a selection, a question in a chat document.

They are commands: what they change comes as edits of its own, hunk by hunk, and no model is asked before one is chosen.
A review's own repair is an edit, there at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lsprotocol import types

from dragoman.lsp.convert import plain_range, range_span, text_edit, versioned_edit
from dragoman.lsp.documents import Document
from dragoman.lsp.features.reports import OURS
from dragoman.lsp.services import ShownFinding
from dragoman.lsp.session import Session
from dragoman.syntax.comments import line_comment

CHAT_DOCUMENT = ".chat.md"
"""Ending of the documents in which a conversation is held."""

QUICK_FIX = types.CodeActionKind.QuickFix
REWRITE = types.CodeActionKind.RefactorRewrite
FIXABLE = frozenset({None, types.DiagnosticSeverity.Error, types.DiagnosticSeverity.Warning})

REVIEW = "source.dragoman.review"
TRANSLATE = (
    "Translate the comments and documentation in these lines into English, in the words of programmers. "
    "Change nothing else: no code, no names, no markup, no line's indentation."
)
TRANSLATED_LINES = 200
"""Lines that are looked at for words of another language."""

ASKED_LINES = 200
"""Lines that are looked at for a comment that asks for something."""

_WISH = re.compile(r"\b(?:(?:TODO|FIXME)\b(?:\([^)]*\))?[:!]?|AI[:!])[ \t]+(\S.*)")
_EMPTY_BODY = re.compile(r"(?:pass|\.\.\.|raise NotImplementedError.*|todo!\(\);?|unimplemented!\(\);?|\{\s*\})")
_COMMENT_END = {"/*": "*/", "*": "*/", "<!--": "-->", '"""': '"""', "'''": "'''"}
_COMMENT_BEGIN = re.compile(r"/\*|^\s*\*|<!--|\"\"\"|'''")
_FOREIGN_WORD = re.compile(r"[^\W\d_]*[^\x00-\x7f\W\d_][^\W\d_]*")
_DEFINITION = re.compile(
    r"\s*(?:(?:export|public|private|protected|static|async|pub|override)\s+)*(?:def|fn|func|function)\b"
)


def agent_actions(session: Session, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Return what a model can do here, the surest first."""
    document = session.documents.get(params.text_document.uri)
    if document is None or not document.in_sync or not session.capabilities.takes_action_literals:
        return []
    return [one for one in _all(session, document, params) if _is_wanted(one, params.context.only)]


def _all(session: Session, document: Document, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    if document.uri.endswith(CHAT_DOCUMENT):
        yield _command("Ask", QUICK_FIX, "dragoman.ask", {"uri": document.uri})
        return
    yield from _findings(session, document, params)
    where = {"uri": document.uri, "range": plain_range(params.range)}
    broken = [one for one in params.context.diagnostics if one.source != OURS and one.severity in FIXABLE]
    if broken:
        told = "\n".join(f"line {one.range.start.line + 1}: {_said(one)}" for one in broken)
        lines = types.Range(
            start=types.Position(line=min(one.range.start.line for one in broken), character=0),
            end=types.Position(line=max(one.range.end.line for one in broken) + 1, character=0),
        )
        fix = {"uri": document.uri, "range": plain_range(lines), "instruction": told}
        yield _command("Fix with Dragoman", QUICK_FIX, "dragoman.fix", fix, broken)
    if params.range.start != params.range.end:
        yield _command("Explain", types.CodeActionKind.Empty, "dragoman.explain", where)
        for title, action in (("Document", "document"), ("Simplify", "simplify"), ("Write tests for", "test")):
            yield _command(f"{title} selection", REWRITE, f"dragoman.{action}", where)
        yield _command("Review selection", REVIEW, "dragoman.review", where)
    elif _is_unwritten(document, params.range.start.line):
        told = "Write the body of this function, as its name, signature and documentation say."
        line = params.range.start.line
        body = types.Range(
            start=types.Position(line=max(0, line - 1), character=0), end=types.Position(line=line + 2, character=0)
        )
        yield _command(
            "Implement", QUICK_FIX, "dragoman.edit", {**where, "range": plain_range(body), "instruction": told}
        )
    asked = _asked_in_comment(document, params.range)
    if asked is not None:
        line, wish = asked
        told = f"Do what the comment in line {line + 1} asks for: {wish}\nTake the comment away when that is done."
        yield _command(f"Do: {_short(wish)}", REWRITE, "dragoman.edit", {"uri": document.uri, "instruction": told})
    if _has_foreign_comment(document, params.range):
        translate = {**where, "range": plain_range(_whole_lines(params.range)), "instruction": TRANSLATE}
        yield _command("Translate comments into English", REWRITE, "dragoman.edit", translate)
    yield _command("Review this file", REVIEW, "dragoman.review", {"uri": document.uri})
    yield _command("Review uncommitted changes of this file", REVIEW, "dragoman.reviewChanges", {"uri": document.uri})


def _findings(session: Session, document: Document, params: types.CodeActionParams) -> Iterator[types.CodeAction]:
    here = range_span(params.range, document.lines, session.encoding)
    for finding in session.services.findings(document.uri):
        if finding.span.end < here.start or here.end < finding.span.start:
            continue
        ours = [one for one in params.context.diagnostics if _fingerprint(one) == finding.fingerprint]
        if finding.fix:
            yield types.CodeAction(
                title=f"Apply fix: {_short(finding.message)}",
                kind=QUICK_FIX,
                diagnostics=ours or None,
                is_preferred=True,
                edit=_fix(session, document, finding),
            )
        place = types.Range(
            start=types.Position(line=finding.span.start[0], character=0),
            end=types.Position(line=finding.span.end[0] + 1, character=0),
        )
        question = f"why this was found in a review, and how it can go wrong: {finding.message}"
        explain = {"uri": document.uri, "range": plain_range(place), "instruction": question}
        yield _command(f"Explain: {_short(finding.message)}", QUICK_FIX, "dragoman.explain", explain, ours)
        argument = {"uri": document.uri, "fingerprint": finding.fingerprint}
        yield _command(f"Dismiss: {_short(finding.message)}", QUICK_FIX, "dragoman.dismissFinding", argument, ours)


def _fix(session: Session, document: Document, finding: ShownFinding) -> types.WorkspaceEdit:
    edits = [text_edit(edit, document.lines, session.encoding) for edit in finding.fix]
    if not session.capabilities.versions_edits:
        return types.WorkspaceEdit(changes={document.uri: edits})
    note = f"Dragoman: {_short(finding.message)}" if session.annotates_edits else ""
    return versioned_edit({document.uri: (document.version, edits)}, note)


def _command(
    title: str,
    kind: types.CodeActionKind | str,
    command: str,
    argument: Mapping[str, Any],
    diagnostics: list[types.Diagnostic] | None = None,
) -> types.CodeAction:
    return types.CodeAction(
        title=title,
        kind=kind,
        diagnostics=diagnostics or None,
        command=types.Command(title=title, command=command, arguments=[argument]),
    )


def _is_wanted(action: types.CodeAction, only: Any) -> bool:
    if only is None:
        return True
    kind = str(getattr(action.kind, "value", action.kind))
    wanted = [str(getattr(one, "value", one)) for one in only]
    return any(not one or kind == one or kind.startswith(f"{one}.") for one in wanted)


def _is_unwritten(document: Document, line: int) -> bool:
    """Tell whether the function at a line has no body yet: on its first line, or on the line of what stands for one."""
    if line >= document.lines.line_count:
        return False
    here = document.lines.line(line).strip()
    if _DEFINITION.match(here):
        after = document.lines.line(line + 1).strip() if line + 1 < document.lines.line_count else ""
        return here.endswith(("{}", "{ }")) or _EMPTY_BODY.fullmatch(after) is not None
    before = document.lines.line(line - 1) if line else ""
    return _EMPTY_BODY.fullmatch(here) is not None and _DEFINITION.match(before) is not None


def _whole_lines(where: types.Range) -> types.Range:
    last = where.end.line + (where.end.character > 0 or where.end.line == where.start.line)
    return types.Range(
        start=types.Position(line=where.start.line, character=0), end=types.Position(line=last, character=0)
    )


def _asked_in_comment(document: Document, where: types.Range) -> tuple[int, str] | None:
    """Return the line of the first comment that asks for something, and what: an instruction, in editors that ask for none."""
    mark = line_comment(document.language_id)
    lines = _whole_lines(where)
    for row in range(lines.start.line, min(lines.end.line, document.lines.line_count, lines.start.line + ASKED_LINES)):
        line = document.lines.line(row)
        begin = line.find(mark) if mark else -1
        if begin < 0:
            found = _COMMENT_BEGIN.search(line)
            begin = found.start() if found else -1
        wish = _WISH.search(line, begin) if begin >= 0 else None
        if wish is not None:
            return row, wish[1].rstrip().removesuffix("*/").removesuffix("-->").rstrip()
    return None


def _has_foreign_comment(document: Document, where: types.Range) -> bool:
    """Tell whether the lines have a comment, and in it a word that English would not write."""
    mark = line_comment(document.language_id)
    lines = _whole_lines(where)
    last = min(lines.end.line, document.lines.line_count, lines.start.line + TRANSLATED_LINES)
    closing = ""
    for row in range(lines.start.line, last):
        line = document.lines.line(row)
        begin = 0 if closing else line.find(mark) if mark else -1
        if begin < 0 and (found := _COMMENT_BEGIN.search(line)):
            begin, closing = found.start(), _COMMENT_END[found[0].strip()]
            text = line[found.end() :]
        else:
            text = line
        if begin >= 0 and _FOREIGN_WORD.search(line, begin):
            return True
        if closing and closing in text:
            closing = ""
    return False


def _said(found: types.Diagnostic) -> str:
    return found.message if isinstance(found.message, str) else found.message.value


def _fingerprint(found: types.Diagnostic) -> str | None:
    data = found.data
    value = data.get("fingerprint") if isinstance(data, Mapping) else getattr(data, "fingerprint", None)
    return value if isinstance(value, str) else None


def _short(message: str) -> str:
    first = message.split("\n", 1)[0]
    return first if len(first) <= 60 else f"{first[:59]}…"
