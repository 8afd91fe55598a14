"""The vectors' file and how it follows an index: another model, changed and removed files, damage, two processes."""

from __future__ import annotations

import importlib.util
import math
import random
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dragoman import extras
from dragoman.context.workspace.ignore import IgnoreRules
from dragoman.context.workspace.opening import OpenIndex
from dragoman.context.workspace.update import read_entry
from dragoman.context.workspace.vector_index import VectorIndex
from dragoman.context.workspace.vectors import EmbeddedPiece, VectorFile, decode, encode
from dragoman.errors import WorkspaceIndexError
from tests.support.fake_answers import embed_words
from tests.support.index import write

pytestmark = pytest.mark.skipif(bool(extras.why_no_vectors()), reason=extras.why_no_vectors())

SIZE = 96


class Scene:
    """A workspace with its index and its vectors, in this process."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.rules = IgnoreRules(self.root)
        self.index = OpenIndex(folder / "cache" / "index.sqlite")
        self.vectors = VectorIndex(self.root, self.index)
        self.complete = True

    def read(self, **files: str | None) -> None:
        """Write files, or delete them for None, and bring the index up to date."""
        for name, text in files.items():
            path = name.replace("__", "/") + ".py"
            if text is None:
                (self.root / path).unlink()
                self.index.store.remove([path])
                continue
            write(self.root, {path: text})
            entry = read_entry(self.root, self.rules, path)
            assert entry is not None
            self.index.store.put([entry])

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        return self.vectors.call(method, {"model": "m", **params}, self.rules, complete=self.complete)

    def embed_all(self, size: int = SIZE, **params: Any) -> list[str]:
        """Do what the server does until there is nothing to do; returns the texts that were embedded."""
        texts = []
        for _ in range(200):
            answer = self.ask("unembedded", limit=4, **params)
            assert "problem" not in answer
            if answer["pieces"]:
                texts += [piece["text"] for piece in answer["pieces"]]
                pieces = [{**one, "vector": encode(embed_words(one["text"], size))} for one in answer["pieces"]]
                self.ask("embedded", pieces=pieces, **params)
            elif not answer["more"]:
                return texts
        raise AssertionError("it never ends")

    def nearest(self, text: str, path: str = "", size: int = SIZE, **params: Any) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = self.ask("nearest", vector=encode(embed_words(text, size)), path=path, **params)[
            "pieces"
        ]
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.vectors.close()
    scene.index.close()


def function(name: str) -> str:
    body = "".join(f"    value = {name}_step(value, {step})\n" for step in range(10))
    return f"def {name}(value):\n{body}    return value\n"


def test_what_is_alike_is_found_and_the_own_file_is_not(scene: Scene) -> None:
    scene.read(users=function("load_user_record"), billing=function("send_invoice_mail"), maths=function("cube_root"))

    assert len(scene.embed_all()) == 3
    assert scene.nearest("loadUserRecord")[0][0] == "users.py"
    assert scene.nearest("invoiceMail sender")[0][0] == "billing.py"
    assert scene.nearest("invoiceMail sender", path="billing.py")[0][0] != "billing.py"
    assert scene.ask("unembedded", limit=4) == {"pieces": [], "more": False, "done": True, "stored": 3}


def test_only_what_changed_is_embedded_again_and_lines_follow(scene: Scene) -> None:
    first, second = function("load_user_record"), function("send_invoice_mail")
    scene.read(a=first + "\n\n" + second, b=function("cube_root"))
    scene.embed_all()
    ((_, before),) = [one for one in scene.nearest("send invoice mail") if one[0] == "a.py"][:1]

    scene.read(a=function("parse_date_text") + "\n\n" + first + "\n\n" + second)
    embedded = scene.embed_all()
    ((_, after),) = [one for one in scene.nearest("send invoice mail") if one[0] == "a.py"][:1]

    assert len(embedded) == 1
    assert "parse_date_text" in embedded[0]
    assert after == before + 14

    scene.read(a=first)
    assert scene.embed_all() == []
    assert [path for path, _ in scene.nearest("send invoice mail parse date")].count("a.py") == 1


def test_a_file_that_is_gone_leaves_no_vector(scene: Scene) -> None:
    scene.read(a=function("load_user_record"), b=function("cube_root"))
    scene.embed_all()
    scene.read(a=None)
    scene.embed_all()

    assert [path for path, _ in scene.nearest("load user record")] == ["b.py"]
    assert scene.ask("unembedded", limit=1)["stored"] == 1


def test_an_index_that_is_made_anew_finds_its_vectors_again(scene: Scene) -> None:
    files = {"a": function("load_user_record"), "b": function("cube_root")}
    scene.read(**files)
    scene.embed_all()
    scene.index.reopen(damaged=True)
    scene.complete = False
    assert scene.embed_all() == []
    scene.read(**files)
    scene.complete = True

    assert scene.embed_all() == []
    assert scene.ask("unembedded", limit=4) == {"pieces": [], "more": False, "done": True, "stored": 2}


def test_vectors_that_come_after_their_file_has_gone_are_dropped(scene: Scene) -> None:
    scene.read(a=function("load_user_record"))
    (piece,) = scene.ask("unembedded", limit=4)["pieces"]
    scene.read(a=None)

    assert scene.ask("embedded", pieces=[{**piece, "vector": encode([1.0] * SIZE)}]) == {"stored": 0}


def test_what_is_ignored_or_holds_keys_is_never_given_out(scene: Scene) -> None:
    """Though the index still has it: rules change before the next crawl."""
    scene.read(a=function("load_user_record"), later__b=function("send_invoice_mail"))
    assert scene.index.store.file("later/b.py")
    write(scene.root, {".gitignore": "later\n"})
    scene.rules.forget()

    texts = scene.embed_all()

    assert len(texts) == 1
    assert "load_user_record" in texts[0]
    assert [path for path, _ in scene.nearest("invoice mail cube root")] == ["a.py"]


def test_another_model_begins_anew(scene: Scene) -> None:
    scene.read(a=function("load_user_record"), b=function("cube_root"))
    scene.embed_all()

    assert scene.nearest("load user record", model="other") == []
    assert len(scene.embed_all(size=64, model="other")) == 2
    assert scene.nearest("load user record", size=64, model="other")[0][0] == "a.py"
    assert scene.nearest("load user record") == []


def test_the_same_model_with_other_dimensions_begins_anew(scene: Scene) -> None:
    scene.read(a=function("load_user_record"), b=function("cube_root"))
    scene.embed_all()
    scene.read(c=function("send_invoice_mail"))
    (piece,) = scene.ask("unembedded", limit=4)["pieces"]
    scene.ask("embedded", pieces=[{**piece, "vector": encode(embed_words(piece["text"], 64))}])

    assert scene.nearest("load user record") == []
    assert len(scene.embed_all(size=64)) == 2
    assert len(scene.nearest("load user record", size=64)) == 3


@pytest.mark.parametrize("vector", [None, encode([0.0] * SIZE)])
def test_a_piece_that_has_no_vector_is_not_asked_for_again(scene: Scene, vector: str | None) -> None:
    scene.read(a=function("load_user_record"), b=function("cube_root"))
    refused, _ = scene.ask("unembedded", limit=2)["pieces"]
    scene.ask("embedded", pieces=[{**refused, "vector": vector}])

    assert len(scene.embed_all()) == 1
    assert [path for path, _ in scene.nearest("load user record")] == ["b.py"]


def test_they_survive_and_a_damaged_file_is_made_anew(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.read(a=function("load_user_record"))
    scene.embed_all()
    scene.vectors.close()
    assert scene.embed_all() == []

    scene.vectors.close()
    file = scene.index.path.with_suffix(".vectors.sqlite")
    file.write_bytes(b"no database" * 1_000)
    assert len(scene.embed_all()) == 1
    assert "damaged" in caplog.text


def test_one_process_keeps_the_file_and_another_reads_it_until_it_ends(scene: Scene) -> None:
    scene.read(a=function("load_user_record"))
    second = VectorIndex(scene.root, scene.index)
    try:
        scene.embed_all()
        vector = encode(embed_words("load user record", SIZE))
        assert second.call("unembedded", {"model": "m", "limit": 4}, scene.rules, complete=True) == {
            "done": True,
            "stored": 1,
        }
        found = second.call("nearest", {"model": "m", "vector": vector, "path": ""}, scene.rules, complete=True)
        assert [path for path, _ in found["pieces"]] == ["a.py"]
        scene.vectors.close()
        assert second.call("unembedded", {"model": "m", "limit": 4}, scene.rules, complete=True)["stored"] == 1
    finally:
        second.close()


def test_a_folder_that_cannot_be_written_is_a_sentence(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dragoman.context.workspace.place.claim", refuse)

    assert "Permission denied" in scene.ask("unembedded", limit=1)["problem"]


def test_without_the_extra_a_sentence_says_how_to_get_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apsw" else find(name))

    problem = scene.ask("nearest", vector=encode([1.0]), path="")["problem"]

    assert problem == f"Vectors need apsw. Run: {sys.executable} -m pip install 'dragoman[vectors]'"


def test_the_order_is_that_of_the_angles(tmp_path: Path) -> None:
    """Held against the plain arithmetic, at a length that is no multiple of eight."""
    chance = random.Random(4)
    vectors = {f"{number}.py": [chance.gauss(0, 1) for _ in range(203)] for number in range(150)}
    file = VectorFile(tmp_path / "index.sqlite")
    file.begin("m", 203)
    file.put(EmbeddedPiece(path, 1, path.encode(), array("f", one)) for path, one in vectors.items())
    question = [chance.gauss(0, 1) for _ in range(203)]

    def angle(path: str) -> float:
        one = vectors[path]
        return sum(x * y for x, y in zip(one, question, strict=True)) / math.hypot(*one)

    found = [path for path, _ in file.nearest(array("f", question), "")]
    file.close()

    best = sorted(vectors, key=angle, reverse=True)[: len(found)]
    assert len(found) == 24
    assert len(set(found) & set(best)) >= 22  # Eight bits a number may swap two that are nearly alike.
    assert found[0] == best[0]


def test_vectors_too_long_for_the_file_are_refused(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "index.sqlite")
    with pytest.raises(WorkspaceIndexError, match="too long"):
        file.begin("m", 10_000)
    file.close()


def test_vectors_travel_as_they_are() -> None:
    assert [*decode(encode([0.5, -2.0, 0.0]))] == [0.5, -2.0, 0.0]
