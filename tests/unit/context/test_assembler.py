"""What an editor's context is: asked in time, kept on a line, late without harm, told of documents."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dragoman.context.assembler import ContextAssembler, ContextPolicy, receiver_at
from dragoman.context.workspaces import Workspaces, is_indexable
from dragoman.errors import IndexUnavailableError
from dragoman.lsp.lines import Lines

ROOT = Path("/project")
SOURCES = ("imports", "recent_edits")


@dataclass(frozen=True)
class Asked:
    text: Lines
    line: int
    character: int
    uri: str = "file:///project/a.py"
    language: str = "python"


class ScriptedIndex:
    """Answers each question with one snippet that names its line, when it is let."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None
        self.cancelled = 0

    async def start(self) -> None:
        pass

    async def call(self, method: str, params: dict[str, Any], timeout: float | None = None) -> Any:
        self.asked.append(params)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        line = params["before"].count("\n") + params["first_line"]
        text = f"found for line {line}"
        return {"snippets": [{"source": "imports", "path": "b.py", "text": text, "tokens": 5, "score": 1.0, "line": 1}]}

    def notify(self, method: str, params: dict[str, Any]) -> None:
        self.told.append((method, params))

    async def aclose(self) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def index() -> ScriptedIndex:
    return ScriptedIndex()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def assembler(index, clock, monkeypatch):
    workspaces = Workspaces([ROOT])
    monkeypatch.setattr(workspaces, "_index", lambda _root: index)
    workspaces._indexes[ROOT] = index
    made = ContextAssembler(workspaces, ContextPolicy(1_000, SOURCES), clock)
    yield made
    await made.aclose()


def at(text: str, **fields: Any) -> Asked:
    """Return a question at the ``|``."""
    before, _, after = text.partition("|")
    line = before.count("\n")
    return Asked(Lines.of(before + after), line, len(before.rpartition("\n")[2]), **fields)


def found(context) -> list[str]:
    return [one.text for one in context.snippets]


async def test_one_line_is_one_question(assembler, index) -> None:
    for typed in ("to", "tot", "tota"):
        assert found(await assembler.gather(at(f"a = 1\n{typed}|"))) == ["found for line 1"]

    assert len(index.asked) == 1
    assert index.asked[0]["path"] == "a.py"
    assert assembler.counts == {"asked": 1, "in_time": 1, "kept": 2}


async def test_another_line_and_a_dot_are_other_questions(assembler, index) -> None:
    await assembler.gather(at("a = 1\ncart|"))
    await assembler.gather(at("a = 1\ncart.|"))
    await assembler.gather(at("a = 1\ncart.add|"))
    await assembler.gather(at("a = 1\ncart.add()\n|"))

    assert len(index.asked) == 3


async def test_what_is_asked_before_the_debounce_is_there_after_it(assembler, index) -> None:
    question = at("a = 1\n|")
    assembler.prepare(question)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert found(await assembler.gather(question)) == ["found for line 1"]
    assert len(index.asked) == 1


async def test_a_late_answer_is_left_out_and_there_at_the_next_key(assembler, index) -> None:
    await assembler.gather(at("|"))
    index.open.clear()

    late = await assembler.gather(at("a\n|"))
    index.open.set()
    await asyncio.sleep(0.01)
    then = await assembler.gather(at("a\nb|"))

    assert (late.late, found(late)) == (True, ["found for line 0"]), "the older one is better than none"
    assert (then.late, found(then)) == (False, ["found for line 1"])
    assert assembler.counts["late"] == 1


async def test_a_question_that_the_user_has_left_is_cancelled(assembler, index) -> None:
    index.open.clear()
    assembler.prepare(at("|"))
    await asyncio.sleep(0)
    assembler.prepare(at("a\n|"))
    await asyncio.sleep(0)

    assert index.cancelled == 1


async def test_a_line_that_lasts_is_asked_again_behind_the_key(assembler, index, clock) -> None:
    await assembler.gather(at("|"))
    clock.now += 10
    index.open.clear()

    context = await assembler.gather(at("x|"))

    await asyncio.sleep(0)

    assert (context.late, found(context)) == (False, ["found for line 0"]), "nobody waits for the second answer"
    assert len(index.asked) == 2


async def test_an_index_that_fails_leaves_the_prompt_without_context(assembler, index) -> None:
    index.failure = IndexUnavailableError("The index is gone.")

    assert found(await assembler.gather(at("|"))) == []
    assert assembler.counts["failed"] == 1
    index.failure = None
    assert found(await assembler.gather(at("|"))) == ["found for line 0"], "and is asked again"


async def test_a_smaller_budget_is_another_question(assembler, index) -> None:
    await assembler.gather(at("|"))
    await assembler.gather(at("|"), tokens=100)

    assert [one["budget"] for one in index.asked] == [1_000, 100]


@pytest.mark.parametrize("policy", [ContextPolicy(0, SOURCES), ContextPolicy(1_000, ())])
async def test_without_a_wish_nothing_is_asked(assembler, index, policy) -> None:
    assembler.configure(policy)

    assert found(await assembler.gather(at("|"))) == []
    assert index.asked == []


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "file:///elsewhere/a.py", "vscode-remote://host/project/a.py"])
async def test_a_document_outside_of_the_workspace_has_no_context(assembler, index, uri) -> None:
    assert found(await assembler.gather(at("|", uri=uri))) == []
    assert index.asked == []


async def test_an_unsaved_document_is_told_once_the_user_pauses(assembler, index, monkeypatch) -> None:
    monkeypatch.setattr("dragoman.context.assembler.CONTEXT_OVERLAY_S", 0.01)
    uri = "file:///project/b.py"
    assembler.document_changed(uri, Lines.of("one\n"), first_line=0, last_line=0)
    for text in ("one t\n", "one tw\n", "one two\n"):
        assembler.document_changed(uri, Lines.of(text), first_line=0, last_line=0)
    await asyncio.sleep(0.05)
    overlays = [params for method, params in index.told if method == "overlay"]

    assert overlays == [{"path": "b.py", "text": "one two\n"}], "opening tells nothing: the file is on disk"

    assembler.document_saved(uri)
    assert [method for method, _ in index.told][-2:] == ["changed", "overlay"]
    assert index.told[-1][1]["text"] is None


async def test_an_opened_document_is_looked_at_before_it_is_asked_about(assembler, index) -> None:
    assembler.document_changed("file:///project/b.py", Lines.of("import os\n"), first_line=0, last_line=0)
    await asyncio.sleep(0.01)

    assert [(one["path"], one["language"], one["first_line"], one["before"]) for one in index.asked] == [
        ("b.py", "python", 0, "")
    ]
    assert assembler.counts == {}, "nobody has asked"
    index.failure = IndexUnavailableError("gone")
    assembler.document_changed("file:///project/c.py", Lines.of("x\n"), first_line=0, last_line=0)
    await asyncio.sleep(0.01)
    assert found(assembler.current("file:///project/c.py")) == []


async def test_edits_elsewhere_go_along_and_those_of_key_files_do_not(assembler, index) -> None:
    for name in ("b.py", ".env"):
        uri = f"file:///project/{name}"
        assembler.document_changed(uri, Lines.of("one\ntwo\n"), first_line=0, last_line=1)
        assembler.document_changed(uri, Lines.of("one\nTOKEN=2\n"), first_line=1, last_line=1)

    await assembler.gather(at("|"))

    (asked,) = [one for one in index.asked if one["path"] == "a.py"]
    assert [list(one) for one in asked["edits"]] == [["b.py", 1, "TOKEN=2"]]
    assert asked["focus"] == ("b.py",)


@pytest.mark.parametrize(
    ("text", "receiver"),
    [
        ("cart.|", "cart"),
        ("self.cart.add|", "self.cart"),
        ("x = a->b->c|", "a->b"),
        ("Vec::ne|", "Vec::"),
        ("cart|", ""),
        ("|", ""),
    ],
)
def test_the_receiver_is_what_stands_before_the_dot(text, receiver) -> None:
    assert receiver_at(at(text)).rstrip(".->") == receiver


def test_a_home_or_a_disk_is_no_workspace(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "somebody"))
    (tmp_path / "home" / "somebody" / "project").mkdir(parents=True)

    assert is_indexable(tmp_path / "home" / "somebody" / "project")
    assert not is_indexable(tmp_path / "home" / "somebody")
    assert not is_indexable(tmp_path / "home")
    assert not is_indexable(Path("/"))


def test_a_link_out_of_the_workspace_is_outside(tmp_path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "elsewhere.py").write_text("", encoding="utf-8")
    (root / "inside.py").symlink_to(tmp_path / "elsewhere.py")
    (tmp_path / "link").symlink_to(root)
    workspaces = Workspaces([root])

    assert workspaces.path_of((root / "inside.py").as_uri()) == ""
    assert workspaces.path_of((tmp_path / "link" / "other.py").as_uri()) == "other.py"


def test_the_innermost_folder_owns_a_document(tmp_path) -> None:
    workspaces = Workspaces([tmp_path, tmp_path / "inner"])

    assert workspaces.root_of((tmp_path / "inner" / "a.py").as_uri()) == tmp_path / "inner"
    assert workspaces.root_of((tmp_path / "a.py").as_uri()) == tmp_path
