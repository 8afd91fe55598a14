"""The floor: ghost text from plain pygls and httpx, as one writes it in an hour. No cache, no debounce, no filters.

    python -m tests.bench.floor --url http://127.0.0.1:8000/v1 [--stdio]

It streams, sends the same window as Dragoman does, and leaves everything else to the two libraries.
"""

from __future__ import annotations

import argparse
import json

import httpx
from lsprotocol import types
from pygls.lsp.server import LanguageServer

PREFIX_CHARS, SUFFIX_CHARS = 6000, 1500

server = LanguageServer("floor", "1")
client = httpx.AsyncClient(timeout=30)
url = ""


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def complete(ls: LanguageServer, params: types.InlineCompletionParams) -> list[types.InlineCompletionItem]:
    document = ls.workspace.get_text_document(params.text_document.uri)
    offset = document.offset_at_position(params.position)
    source = document.source
    prefix, suffix = source[max(0, offset - PREFIX_CHARS) : offset], source[offset : offset + SUFFIX_CHARS]
    body = {
        "model": "fake-coder",
        "prompt": f"<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
        "max_tokens": 64,
        "stream": True,
    }
    text = ""
    async with client.stream("POST", f"{url}/completions", json=body) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: ") or line == "data: [DONE]":
                continue
            choices = json.loads(line[6:])["choices"]
            text += choices[0]["text"] if choices else ""
    return [types.InlineCompletionItem(insert_text=text)] if text else []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ghost text from plain pygls and httpx.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--stdio", action="store_true")
    url = parser.parse_args().url
    server.start_io()
