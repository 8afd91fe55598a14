"""What a Python file takes from other modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.context.workspace.draft import Draft

if TYPE_CHECKING:
    from tree_sitter import Node


def read_import(draft: Draft, node: Node) -> None:
    """Enter the names of an import statement; wherever it stands, also in a function or under a condition."""
    line = node.start_point[0]
    of = draft.source.of
    if node.type == "import_statement":
        for each in node.named_children:
            module, alias = _parts(draft, each)
            if module:
                draft.take(module, "", alias or module.partition(".")[0], line)
        return
    origin = node.child_by_field_name("module_name")
    if origin is None:
        return
    written = "".join(of(origin).split())
    module = written.lstrip(".")
    level = len(written) - len(module)
    for each in node.named_children:
        if each.type == "wildcard_import":
            draft.take(module, "*", "*", line, level)
        elif each.id != origin.id:
            name, alias = _parts(draft, each)
            if name:
                draft.take(module, name, alias or name, line, level)


def _parts(draft: Draft, node: Node) -> tuple[str, str]:
    """Return a name with its alias, each "" where there is none."""
    if node.type == "dotted_name":
        return draft.source.of(node), ""
    if node.type != "aliased_import":
        return "", ""
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    return ("" if name is None else draft.source.of(name)), ("" if alias is None else draft.source.of(alias))
