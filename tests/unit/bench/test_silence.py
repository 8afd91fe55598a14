"""The parts of the silence measurement: its samples, its memory of answers, its fit and its figures."""

from __future__ import annotations

import json
import math
import random
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dragoman.models.base import Chunk, CompletionRequest, Token
from dragoman.models.profiles import special_tokens
from tests.bench import silence
from tests.bench.silence_fit import CONFIDENCE, Case, chance, fit, log_loss
from tests.bench.silence_model import RememberingModel
from tests.bench.silence_numbers import Judged, compare, ordered_by, precision, similarity
from tests.bench.silence_samples import DEVELOPMENT, HELD_OUT, Sample, draw, files_of, name_of
from tests.bench.silence_weights import rewrite
from tests.support.scripted import ScriptedModel
from tests.support.weights import weights_dir  # noqa: F401 - a fixture

LINE = "    result_{n} = combine(first, second, {n})  \n"
MODULE = "import os\n\n\ndef work(first, second):\n" + "".join(LINE.format(n=n) for n in range(200))


def samples_of(folder: Path, number: int = 3) -> list[Sample]:
    return draw(files_of(folder), per_package=number)


def test_samples_are_the_same_from_a_wheel_and_from_a_folder(tmp_path: Path) -> None:
    unpacked, packed = tmp_path / "unpacked", tmp_path / "packed"
    (unpacked / "sample-one").mkdir(parents=True)
    (unpacked / "sample-one" / "module.py").write_text(MODULE)
    packed.mkdir()
    with zipfile.ZipFile(packed / "sample_one-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("module.py", MODULE)
    found = samples_of(unpacked)
    assert found == samples_of(packed)
    assert len(found) == 3
    for sample in found:
        expected = MODULE.split("\n")
        expected[sample.line] = expected[sample.line].rstrip()
        assert sample.spliced(sample.hidden).split("\n") == expected
        assert sample.head + sample.hidden in MODULE
        assert sample.text.split("\n")[sample.line] == sample.head
        assert len(sample.hidden) >= 5
    assert min(abs(one.line - two.line) for one in found for two in found if one is not two) >= 40


def test_no_sample_asks_for_imports_headers_comments_or_texts(tmp_path: Path) -> None:
    lines = [
        '    """A text of',
        "    several lines of prose here.",
        '    """',
        "    value = compute(1)  # and a comment",
    ]
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "module.py").write_text("def work(first):\n" + "\n".join(lines * 20) + "\n")
    assert samples_of(tmp_path) == []


def test_what_cannot_be_parsed_has_no_samples(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "module.py").write_text(MODULE + "def broken(:\n")
    assert samples_of(tmp_path) == []


def test_development_and_held_out_packages_are_pinned_and_apart() -> None:
    assert all("==" in one for one in DEVELOPMENT + HELD_OUT)
    assert not {name_of(one) for one in DEVELOPMENT} & {name_of(one) for one in HELD_OUT}


ASK = CompletionRequest("prompt", max_tokens=9, stop=("<stop>",))


class TellingModel(ScriptedModel):
    """A scripted model that tells a probability with each piece."""

    async def complete(self, request: CompletionRequest):  # type: ignore[no-untyped-def]
        async for chunk in super().complete(request):
            yield replace(chunk, tokens=(Token(chunk.text, -0.5),) if chunk.text else ())


async def read(model: RememberingModel, request: CompletionRequest = ASK, pieces: int = 99) -> str:
    text = ""
    stream = model.complete(request)
    async for chunk in stream:
        text += chunk.text
        pieces -= 1
        if not pieces:
            break
    await stream.aclose()
    return text


async def test_an_answer_is_asked_for_once_and_kept_with_its_tokens(tmp_path: Path) -> None:
    model, path = TellingModel(pieces=["one", " two"]), tmp_path / "answers.jsonl"
    assert await read(RememberingModel(model, path)) == "one two"
    again = RememberingModel(model, path)
    assert await read(again) == "one two"
    assert [token.text for chunk in again.raw for token in chunk.tokens] == ["one", " two"]
    assert (again.asked, len(model.calls)) == (0, 1)
    assert model.calls[0].request.logprobs
    assert await read(again, replace(ASK, prompt="another")) == "one two"
    assert again.asked == 1


async def test_who_wants_more_than_was_read_gets_it_from_the_model(tmp_path: Path) -> None:
    model, path = TellingModel(pieces=["one", " two", " three"]), tmp_path / "answers.jsonl"
    assert await read(RememberingModel(model, path), pieces=1) == "one"
    again = RememberingModel(model, path)
    assert await read(again, pieces=1) == "one"
    assert again.asked == 0
    assert await read(again) == "one two three"
    assert again.asked == 1
    assert await read(RememberingModel(model, path)) == "one two three"
    assert len(model.calls) == 2


async def test_one_line_of_a_longer_answer_is_known(tmp_path: Path) -> None:
    stop = tuple(sorted(special_tokens("qwen")))[:4]
    model = TellingModel(pieces=["one", " two\n", "three"])
    remembering = RememberingModel(model, tmp_path / "answers.jsonl")
    assert await read(remembering, replace(ASK, stop=stop)) == "one two\nthree"
    assert await read(remembering, replace(ASK, stop=("\n", *stop)[:4])) == "one two"
    assert remembering.asked == 1


def planted(number: int, *, slope: float, seed: int = 1) -> list[Case]:
    choose = random.Random(seed)
    cases = []
    for index in range(number):
        value, noise = choose.uniform(-2, 2), choose.uniform(-1, 1)
        right = choose.random() < 1 / (1 + math.exp(-(slope * value - 0.5)))
        cases.append(Case(f"p{index % 8}", {"constant": 1.0, "sum_logprob": value, "echo": noise, "lines": 0.0}, right))
    return cases


def test_the_fit_finds_what_was_planted() -> None:
    weights = fit(planted(3000, slope=1.5))
    assert weights["sum_logprob"] == pytest.approx(1.5, abs=0.2)
    assert weights["constant"] == pytest.approx(-0.5, abs=0.15)
    assert abs(weights.get("echo", 0.0)) < 0.2
    # It never varied.
    assert "lines" not in weights
    assert chance(weights, {"constant": 1.0, "sum_logprob": 2.0}) > 0.85


def test_confidence_never_counts_against_a_suggestion_nor_a_fault_for_it() -> None:
    assert "sum_logprob" not in fit(planted(500, slope=-1.5))
    assert {"sum_logprob"} <= CONFIDENCE


def test_terms_that_tell_something_lower_the_loss_in_other_packages() -> None:
    cases = planted(400, slope=2.0)
    assert log_loss(cases) < log_loss(cases, without=CONFIDENCE) - 0.1


def test_the_weights_are_written_as_a_module(tmp_path: Path) -> None:
    path = tmp_path / "weights.py"
    rewrite(planted(200, slope=1.5), path)
    found: dict[str, dict[str, float]] = {}
    exec(compile(path.read_text(), str(path), "exec"), found)
    assert found["WITH_PROBABILITIES"]["sum_logprob"] > 0
    assert "sum_logprob" not in found["WITHOUT_PROBABILITIES"]


def judged(rights: Sequence[bool], ranks: Sequence[float], package: str = "p") -> list[Judged]:
    return [
        Judged(f"{package}{index % 4}", right, 100.0, True, True, {"m": rank})
        for index, (right, rank) in enumerate(zip(rights, ranks, strict=True))
    ]


def test_precision_is_of_the_share_that_ranks_first() -> None:
    found = ordered_by(judged([False, True, False, True], [1, 4, 2, 3]), "m")
    assert [precision(found, coverage) for coverage in (0.25, 0.5, 0.75, 1.0)] == [1.0, 1.0, pytest.approx(2 / 3), 0.5]
    # Between two, the next one counts in part.
    assert precision(found, 0.625) == pytest.approx(2 / 2.5)
    assert precision(found, 1.0, {"p1": 3}) == 1.0


def test_a_perfect_order_wins_and_no_order_does_not() -> None:
    rights = [index % 4 == 0 for index in range(400)]
    choose = random.Random(5)
    (perfect,) = compare(judged(rights, [float(right) for right in rights]), ("m",), (0.25,), 200)
    assert (perfect["precision"], perfect["ratio"]) == (1.0, 4.0)
    packages = [
        replace(one, package=f"p{choose.randrange(9)}", ranks={"m": choose.random()})
        for one in judged(rights, [0.0] * 400)
    ]
    (chancy,) = compare(packages, ("m",), (0.5,), 500)
    assert chancy["ratio_low"] < 1 < chancy["ratio_high"]
    assert json.dumps(chancy)


def test_similarity_counts_the_characters_to_change() -> None:
    assert similarity("", "") == similarity("abc", "abc") == 100.0
    assert similarity("abc", "abd") == pytest.approx(200 / 3)
    assert similarity("abc", "") == 0.0
    assert similarity("kitten", "sitting") == pytest.approx(100 * (1 - 3 / 7))


@pytest.mark.model
def test_the_measurement_runs_with_the_real_model_once(tmp_path: Path, weights_dir: Path) -> None:  # noqa: F811
    packages, answers = tmp_path / "packages", tmp_path / "answers.jsonl"
    (packages / "sample").mkdir(parents=True)
    (packages / "sample" / "module.py").write_text(MODULE)
    model = next(weights_dir.rglob("*0.5b*.gguf"))
    arguments = ["--quick", "--packages", str(packages), "--answers", str(answers), "--out", str(tmp_path)]
    assert silence.main([*arguments, "--per-package", "2", "--model", str(model)]) == 0
    rows = [json.loads(line) for line in (tmp_path / "silence.jsonl").read_text().splitlines()]
    assert {row["set"] for row in rows} == {"held out"}
    assert {row["method"] for row in rows} >= {"always", "tabby's drop rules", *silence.METHODS}
    assert all(0 <= row["precision"] <= 1 and row["samples"] <= row["asked"] == 2 for row in rows)
    assert all(show(row) for row in rows for show in silence.TABLE.columns.values())
    # The second time nothing is asked.
    before = answers.read_text()
    assert silence.main([*arguments, "--per-package", "2", "--model", str(model)]) == 0
    assert answers.read_text() == before


def test_chunks_survive_the_file() -> None:
    from tests.bench.silence_model import _chunk, _plain

    chunk = Chunk("text", finish="stop", tokens=(Token("text", -0.5),))
    assert _chunk(json.loads(json.dumps(_plain(chunk)))) == chunk
