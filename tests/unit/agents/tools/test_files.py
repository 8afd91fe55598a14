"""Reading and changing files: bounds, containment, encodings, and what changed meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dragoman.agents.limits import READ_FILE_BYTES, READ_LINES
from dragoman.agents.tools import files
from dragoman.agents.tools.documents import TextEdit
from dragoman.agents.tools.policy import Policy, Rule
from dragoman.agents.tools.references import FindReferences
from dragoman.errors import (
    EditMismatchError,
    FileChangedError,
    FileUnfitError,
    PathOutsideError,
    SecretFileError,
    ToolArgumentsError,
    ToolDeniedError,
)
from tests.support.tool_bench import ToolBench


@pytest.fixture
def bench(tmp_path: Path) -> ToolBench:
    return ToolBench(tmp_path / "project")


async def test_lines_are_numbered_and_a_part_says_how_to_read_on(bench: ToolBench) -> None:
    bench.write("a.py", "one\ntwo\nthree\n")
    assert await bench.call("read_file", path="a.py") == "1\tone\n2\ttwo\n3\tthree"
    assert await bench.call("read_file", path="a.py", first_line=2, last_line=2) == (
        "2\ttwo\n[lines 2 to 2 of 3; read on with first_line=3]"
    )
    bench.write("long.txt", "x\n" * (READ_LINES + 5))
    text = await bench.call("read_file", path="long.txt")
    assert text.endswith(f"[lines 1 to {READ_LINES} of {READ_LINES + 5}; read on with first_line={READ_LINES + 1}]")
    assert await bench.call("read_file", path="long.txt", first_line=READ_LINES + 5) == f"{READ_LINES + 5}\tx"
    bench.write("wide.txt", ("y" * 1_900 + "\n") * 100)
    result = await bench.result("read_file", path="wide.txt")
    assert len(result.text) <= bench.context.result_chars
    assert f"first_line={result.details['last_line'] + 1}]" in result.text


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.bin", b"\x7fELF\0\0\1", "binary"),
        ("huge.log", b"x" * (READ_FILE_BYTES + 1), "Use search"),
        ("missing", None, "There is no 'missing'"),
        ("folder/x", b"", "has 0 lines"),
    ],
)
async def test_what_is_no_readable_text_is_refused_with_a_hint(
    bench: ToolBench, name: str, data: bytes | None, said: str
) -> None:
    if data is not None:
        bench.write(name, data)
    with pytest.raises(FileUnfitError, match=said):
        await bench.call("read_file", path=name, **({"first_line": 2} if data == b"" else {}))


async def test_a_pipe_does_not_hold_up_the_run(bench: ToolBench) -> None:
    os.mkfifo(bench.root / "pipe")
    with pytest.raises(FileUnfitError, match="no regular file"):
        await bench.call("read_file", path="pipe")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "link/secret", "a/../../outside", "x\0y", "self"])
@pytest.mark.parametrize("tool", ["read_file", "write_file", "delete_file", "list_files", "search", "run_command"])
async def test_no_path_leads_out(bench: ToolBench, tmp_path: Path, path: str, tool: str) -> None:
    (tmp_path / "outside").write_text("private")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("private")
    (bench.root / "link").symlink_to(tmp_path / "elsewhere")
    (bench.root / "self").symlink_to(tmp_path / "outside")
    more = {
        "write_file": {"content": "x"},
        "search": {"pattern": "p"},
        "run_command": {"argv": ["true"]},
    }.get(tool, {})
    name = "cwd" if tool == "run_command" else "path"
    with pytest.raises(PathOutsideError):
        await bench.call(tool, **{name: path, **more})
    assert (tmp_path / "outside").read_text() == "private"


@pytest.mark.parametrize("path", [".git/hooks/pre-commit", ".git", "sub/.GIT/config", "."])
async def test_nothing_is_written_into_a_repository_s_own_files(bench: ToolBench, path: str) -> None:
    with pytest.raises(PathOutsideError, match="cannot be written"):
        await bench.call("write_file", path=path, content="#!/bin/sh\n")
    with pytest.raises(PathOutsideError):
        await bench.call("move_file", path="a", target=path)


async def test_keys_are_not_read_for_a_model_elsewhere_under_no_name(bench: ToolBench, tmp_path: Path) -> None:
    bench.write(".env", "TOKEN=1\n")
    (bench.root / "innocent.txt").symlink_to(bench.root / ".env")
    for call in (
        bench.call("read_file", path=".env"),
        bench.call("read_file", path="innocent.txt"),
        bench.call("edit_file", path=".env", old="x", new="y"),
        bench.call("move_file", path=".env", target="plain.txt"),
        bench.call("search", pattern="TOKEN", path=".env"),
    ):
        with pytest.raises(SecretFileError):
            await call
    assert "TOKEN" not in await bench.call("search", pattern="TOKEN")
    assert "env" not in await bench.call("list_files")
    local = ToolBench(bench.root, remote=False)
    assert await local.call("read_file", path=".env") == "1\tTOKEN=1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a = 1\r\nb = 2\r\n", b"a = 1\r\nb = 3\r\nc = 4\r\n"),
        (b"\xef\xbb\xbfa = 1\nb = 2\n", b"\xef\xbb\xbfa = 1\nb = 3\nc = 4\n"),
        ("é = 1\nb = 2\n".encode("latin-1"), "é = 1\nb = 3\nc = 4\n".encode("latin-1")),
        ("\ufeffa\nb = 2\n".encode("utf-16-le"), "\ufeffa\nb = 3\nc = 4\n".encode("utf-16-le")),
        (b"a\r\nx\nb = 2   \nlast", b"a\r\nx\nb = 3\nc = 4\nlast"),
    ],
)
async def test_an_edit_keeps_encoding_and_line_ends(bench: ToolBench, before: bytes, after: bytes) -> None:
    file = bench.write("a.txt", before)
    file.chmod(0o750)
    await bench.call("read_file", path="a.txt")
    result = await bench.result("edit_file", path="a.txt", old="b = 2", new="b = 3\nc = 4")
    if b"   " in before:
        after = after.replace(b"c = 4\n", b"c = 4   \n")
    assert file.read_bytes() == after
    assert file.stat().st_mode & 0o777 == 0o750
    assert (result.details["added"], result.details["removed"]) == (2, 1)
    assert [one.name for one in bench.root.iterdir()] == ["a.txt"]


async def test_a_search_text_must_stand_once(bench: ToolBench) -> None:
    text = "def area(w, h):\n    return w * h\n\n\ndef other():\n    return w * h\n"
    file = bench.write("a.py", text)
    with pytest.raises(EditMismatchError) as twice:
        await bench.call("edit_file", path="a.py", old="    return w * h", new="    return 0")
    assert twice.value.lines == (2, 6)
    assert "lines 2, 6" in twice.value.message
    with pytest.raises(EditMismatchError) as missing:
        await bench.call("edit_file", path="a.py", old="def area(width, h):\n    return w * h", new="")
    assert missing.value.lines == (1,)
    assert "def area(w, h):\n    return w * h" in missing.value.hint
    with pytest.raises(EditMismatchError, match="does not stand"):
        await bench.call("edit_file", path="a.py", old="zzzzzzzzzz", new="")
    bench.write("b.txt", "e" * 100_000)
    with pytest.raises(EditMismatchError, match=r"stands 1000\+ times in 'b\.txt'"):
        await bench.call("edit_file", path="b.txt", old="e", new="")
    with pytest.raises(EditMismatchError, match="changes nothing"):
        await bench.call("edit_file", path="a.py", old="w * h", new="w * h")
    assert file.read_text() == text


async def test_blocks_are_made_together_or_not_at_all(bench: ToolBench) -> None:
    file = bench.write("a.py", "one\ntwo  \nthree\n")
    good = "<<<<<<< SEARCH\none\n=======\n1\n>>>>>>> REPLACE\n"
    trailing = "<<<<<<< SEARCH\ntwo\nthree\n=======\n2\n3\n>>>>>>> REPLACE"
    bad = good + "<<<<<<< SEARCH\nnowhere\n=======\n0\n>>>>>>> REPLACE"
    for blocks in (bad, "no block", good + "<<<<<<< SEARCH\nrest", good + good):
        with pytest.raises(EditMismatchError):
            await bench.call("edit_file", path="a.py", blocks=blocks)
    assert file.read_text() == "one\ntwo  \nthree\n"
    await bench.call("edit_file", path="a.py", blocks=good + trailing)
    assert file.read_text() == "1\n2\n3\n"
    with pytest.raises(ToolArgumentsError, match="either blocks, or old and new"):
        await bench.call("edit_file", path="a.py", old="1")


async def test_a_file_that_changed_since_it_was_read_is_left_alone(bench: ToolBench) -> None:
    file = bench.write("a.py", "one\n")
    await bench.call("read_file", path="a.py")
    file.write_text("someone else's\n")
    with pytest.raises(FileChangedError, match="Read it again"):
        await bench.call("write_file", path="a.py", content="mine\n")
    assert file.read_text() == "someone else's\n"
    await bench.call("read_file", path="a.py")
    file.write_text("again\n")
    with pytest.raises(FileChangedError):
        await bench.call("delete_file", path="a.py")
    await bench.call("read_file", path="a.py")
    await bench.call("edit_file", path="a.py", old="again", new="mine")
    await bench.call("write_file", path="a.py", content="mine too\n")
    assert file.read_text() == "mine too\n"


async def test_a_disk_is_looked_at_again_before_it_is_written(bench: ToolBench) -> None:
    file = bench.write("a.py", "one\n")
    document = await bench.editor.read(file)
    file.write_text("someone else's\n")
    with pytest.raises(FileChangedError):
        await bench.editor.apply(document, [TextEdit(0, 3, "mine")])
    assert file.read_text() == "someone else's\n"


async def test_unsaved_text_is_what_counts(bench: ToolBench) -> None:
    file = bench.write("a.py", "saved\n")
    bench.editor.buffers[file] = "typed here\n"
    assert await bench.call("read_file", path="a.py") == "1\ttyped here"
    assert await bench.call("search", pattern="typed") == "a.py:1: typed here"
    await bench.call("edit_file", path="a.py", old="typed", new="edited")
    assert bench.editor.buffers[file] == "edited here\n"
    assert file.read_text() == "saved\n"


async def test_files_are_made_moved_and_deleted(bench: ToolBench) -> None:
    await bench.call("create_file", path="new/a.txt", content="x\n")
    with pytest.raises(FileUnfitError, match="there already"):
        await bench.call("create_file", path="new/a.txt", content="y\n")
    await bench.call("move_file", path="new/a.txt", target="b.txt")
    with pytest.raises(FileUnfitError, match=r"no 'a\.txt'"):
        await bench.call("move_file", path="new/a.txt", target="c.txt")
    await bench.call("create_file", path="c.txt", content="")
    with pytest.raises(FileUnfitError, match="there already"):
        await bench.call("move_file", path="b.txt", target="c.txt")
    with pytest.raises(FileUnfitError):
        await bench.call("delete_file", path="missing.txt")
    await bench.call("delete_file", path="c.txt")
    await bench.call("delete_file", path="new")
    assert [one.name for one in bench.root.iterdir()] == ["b.txt"]


async def test_a_listing_knows_what_is_ignored(bench: ToolBench) -> None:
    for path in ("src/a.py", "src/b.js", "build/x.py", "node_modules/y.py", "src/deep/c.py"):
        bench.write(path, "x")
    bench.write(".gitignore", "build/\n")
    assert (await bench.call("list_files")).splitlines() == [".gitignore", "src/a.py", "src/b.js", "src/deep/c.py"]
    assert (await bench.call("list_files", path="src", glob="*.py")).splitlines() == ["src/a.py", "src/deep/c.py"]
    with pytest.raises(ToolArgumentsError, match="ignored"):
        await bench.call("list_files", path="build")
    with pytest.raises(FileUnfitError, match="no folder"):
        await bench.call("list_files", path="src/a.py")


async def test_a_folder_is_moved_only_where_all_that_is_in_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = (Rule("allow", "write"), Rule("deny", "write", path="pack/inner/**"), Rule("deny", "write", path="to/x"))
    bench = ToolBench(tmp_path / "project", policy=Policy(rules, trusted=True))
    kept = bench.write("pack/inner/f.txt", "kept")
    bench.write("from/x", "x")
    for path, target in (("pack", "pack2"), ("from", "to")):
        with pytest.raises(ToolDeniedError, match="a rule says deny"):
            await bench.call("move_file", path=path, target=target)
    assert kept.read_text() == "kept"
    await bench.call("move_file", path="from", target="elsewhere")
    monkeypatch.setattr(files, "MOVED_PATHS", 1)
    bench.write("elsewhere/y", "y")
    with pytest.raises(FileUnfitError, match="smaller parts"):
        await bench.call("move_file", path="elsewhere", target="again")


async def test_a_folder_of_keys_gets_no_innocent_name(bench: ToolBench) -> None:
    bench.write(".ssh/config", "Host x\n")
    bench.write("pack/.env", "TOKEN=1\n")
    with pytest.raises(SecretFileError):
        await bench.call("move_file", path=".ssh", target="plain")
    await bench.call("move_file", path="pack", target="pack2")


@pytest.mark.parametrize("path", ["a" * 300, "a/" * 3_000])
@pytest.mark.parametrize(
    ("tool", "more"),
    [
        ("read_file", {}),
        ("write_file", {"content": "x"}),
        ("delete_file", {}),
        ("list_files", {}),
        ("search", {"pattern": "x"}),
        ("find_references", {"name": "x"}),
        ("git_diff", {}),
        ("move_file", {"target": "x"}),
        ("run_command", {"argv": ["true"]}),
    ],
)
async def test_a_path_that_no_disk_can_hold_is_a_clear_error(
    tmp_path: Path, path: str, tool: str, more: dict[str, object]
) -> None:
    bench = ToolBench(tmp_path / "project", more=[FindReferences()])
    with pytest.raises(FileUnfitError, match="File name too long") as told:
        await bench.call(tool, **{"cwd" if tool == "run_command" else "path": path}, **more)
    assert len(str(told.value)) < 400


async def test_a_file_that_is_write_protected_is_left_alone(bench: ToolBench) -> None:
    file = bench.write("a.txt", "kept\n")
    file.chmod(0o444)
    for call in (
        bench.call("write_file", path="a.txt", content="mine\n"),
        bench.call("edit_file", path="a.txt", old="kept", new="mine"),
    ):
        with pytest.raises(FileUnfitError, match="write-protected"):
            await call
    assert file.read_text() == "kept\n"
    assert [one.name for one in bench.root.iterdir()] == ["a.txt"]
