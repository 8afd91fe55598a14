"""`dragoman.showContext`: what the newest request read, for any client."""

from __future__ import annotations

import pytest

from tests.support.fake_editor import INLINE, Transport, editing

URI = "file:///w/a.py"
OTHER = "file:///w/b.py"


@pytest.mark.parametrize("transport", ["stdio", "tcp"])
async def test_the_newest_request_is_told_of_a_document_or_of_all(transport: Transport) -> None:
    async with editing(transport) as editor:
        await editor.initialize()
        editor.open(URI, "one = \n")
        editor.open(OTHER, "two = \n")
        for arguments, words in (({}, "No model was asked yet."), ({"uri": URI}, "No model was asked for 'a.py' yet.")):
            error = await editor.call_error(
                "workspace/executeCommand", editor.command_params("dragoman.showContext", arguments)
            )
            assert error["code"] == -32803
            assert error["message"].startswith(words)
        await editor.inline(OTHER, 0, 6)
        known = await editor.command("dragoman.showContext", {})
        assert known == await editor.command("dragoman.showContext", {"uri": OTHER})
        assert set(known) == {
            *("uri", "at", "model", "provider", "local", "line", "character", "tokens", "late", "parts"),
        }
        assert (known["uri"], known["line"], known["character"]) == (OTHER, 0, 6)
        assert [(part["source"], part["text"]) for part in known["parts"]] == [("prefix", "two = "), ("suffix", "\n")]
        assert set(known["parts"][0]) == {"source", "path", "line", "text", "tokens", "score", "why"}
        await editor.call_error("workspace/executeCommand", editor.command_params("dragoman.showContext", {"uri": URI}))


@pytest.mark.parametrize(("offered", "units"), [(["utf-16"], 6), (["utf-8"], 8), (["utf-32"], 5)])
async def test_the_cursor_is_where_the_client_counts_it(offered: list[str], units: int) -> None:
    async with editing() as editor:
        await editor.initialize({**INLINE, "general": {"positionEncodings": offered}})
        editor.open(URI, "😀 = x\n")
        await editor.inline(URI, 0, units)
        known = await editor.command("dragoman.showContext", {})
        assert known["character"] == units
        assert known["parts"][0]["text"] == "😀 = x"[:5]


async def test_an_argument_that_makes_no_sense_is_refused() -> None:
    async with editing() as editor:
        await editor.initialize()
        params = editor.command_params("dragoman.showContext", {"uri": 7})
        error = await editor.call_error("workspace/executeCommand", params)
        assert error["code"] == -32602
        assert "'uri'" in error["message"]
