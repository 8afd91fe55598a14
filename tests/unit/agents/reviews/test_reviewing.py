"""A file is reviewed by whoever may read it, in as many questions as it takes, and nothing is left open."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from dragoman.agents.reviews.reviewing import FileReview
from dragoman.agents.reviews.targets import find_named
from dragoman.errors import FileUnfitError, RequestRejectedError, ReviewError, StreamBrokenError
from dragoman.models.base import ChatRequest, Chunk, Model, ModelInfo
from dragoman.models.manager import ModelManager
from dragoman.models.selection import Source
from tests.support.scripted_providers import Place, Said

TEXT = "".join(f"value_{number} = compute({number})\n" for number in range(1, 1_201))


class Reviewer(Said):
    """Finds fault with the first line that it is shown, and keeps what it was asked."""

    def __init__(self, info: ModelInfo) -> None:
        super().__init__(info)
        self.requests: list[ChatRequest] = []
        self.ended = 0

    def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        return self._review(request)

    async def _review(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        try:
            if self.failures:
                raise self.failures.pop(0)
            shown = next(line for line in request.messages[-1].content.split("\n") if "= compute" in line)
            number, _, quote = shown.strip().partition("| ")
            yield Chunk(json.dumps({"line": int(number), "message": "It is wrong.", "quote": quote}))
            yield Chunk("\nand ")
            yield Chunk(finish="stop")
        finally:
            self.ended += 1


class Reviewers(Place):
    """A provider of one such model."""

    def model(self, info: ModelInfo) -> Model:
        if info.name not in self.said:
            self.said[info.name] = Reviewer(info)
        return self.said[info.name]


def place(**rest: object) -> tuple[Reviewers, Reviewer]:
    provider = Reviewers("mine", {"reviewer": frozenset({"chat", "json_schema"})}, window=8_192, **rest)  # type: ignore[arg-type]
    model = provider.model(provider.infos()[0])
    assert isinstance(model, Reviewer)
    return provider, model


async def open_review(root: Path, name: str = "a.py") -> FileReview:
    (root / name).write_text(TEXT)
    (target,) = find_named(root, [root / name]).files
    return await FileReview.open(target, frozenset())


async def test_a_long_file_is_asked_about_in_parts(tmp_path: Path) -> None:
    provider, model = place()
    manager = ModelManager([Source(provider)], {})
    review = await open_review(tmp_path)
    found = [one.line async for one in review.findings(manager)]
    assert len(found) == len(model.requests) > 1
    assert found == sorted(found)
    assert found[0] == 1
    assert all(one.json_schema is not None for one in model.requests)
    await manager.aclose()


async def test_a_model_that_takes_no_schema_is_asked_without(tmp_path: Path) -> None:
    provider, model = place()
    manager = ModelManager([Source(provider)], {})
    model.failures = [RequestRejectedError("no schemas")]
    review = await open_review(tmp_path)
    async with aclosing(review.findings(manager)) as findings:
        assert (await anext(findings)).line == 1
        assert [one.json_schema is None for one in model.requests] == [False, True]
        assert model.ended == 1
    # Closing the review has closed the stream in the middle.
    assert model.ended == 2
    await manager.aclose()


async def test_what_breaks_is_told_and_what_was_found_before_has_come(tmp_path: Path) -> None:
    provider, model = place()
    manager = ModelManager([Source(provider)], {})
    review = await open_review(tmp_path)
    async with aclosing(review.findings(manager)) as findings:
        assert (await anext(findings)).line == 1
        model.failures = [StreamBrokenError("cut")] * 10
        with pytest.raises(StreamBrokenError):
            await anext(findings)
    await manager.aclose()


@pytest.mark.parametrize("name", ["ignored.py", ".env"])
async def test_a_private_file_stays_on_this_machine(tmp_path: Path, name: str) -> None:
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    far, model = place(is_local=False)
    manager = ModelManager([Source(far)], {}, redact=False)
    review = await open_review(tmp_path, name)
    with pytest.raises(ReviewError, match="never sent"):
        await anext(review.findings(manager))
    assert model.requests == []
    public = await open_review(tmp_path)
    assert [one async for one in public.findings(manager)]
    await manager.aclose()
    near, _ = place()
    manager = ModelManager([Source(near)], {})
    assert [one async for one in review.findings(manager)]
    await manager.aclose()


async def test_a_file_of_bytes_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\0\1\2")
    (target,) = find_named(tmp_path, [tmp_path / "a.py"]).files
    with pytest.raises(FileUnfitError):
        await FileReview.open(target, frozenset())
