"""What a model is offered to do at a place: only what makes sense there."""

from __future__ import annotations

from typing import Any

from tests.support.desk import PLAIN
from tests.support.fake_editor import editing

TEXTS = {
    "english.py": (
        "python",
        '# the café is closed\nvalue = "naïve"\n\n\ndef plain():\n    """Return it."""\n    return "größer"\n',
    ),
    "foreign.py": (
        "python",
        'def zähle(dinge):\n    """Gibt die Zahl zurück.\n\n    Über alles.\n    """\n    return len(dinge)  # größer\n',
    ),
    "foreign.ts": ("typescript", "/**\n * Größe der Straße.\n */\nconst groesse = 1;\n// später\n"),
    "asking.py": ("python", "# TODO(me): add the tax\nprice = 1\nnote = 'TODO: none'\n# AI is no wish\n"),
    "asking.ts": ("typescript", "/* FIXME: it is wrong */\nconst AI = 1;\n"),
    "unwritten.py": ("python", "def total(items):\n    pass\n"),
}


async def titles(editor: Any, name: str, first: int, last: int, only: list[str] | None = None) -> list[str]:
    uri = f"file:///w/{name}"
    context: dict[str, Any] = {"diagnostics": []} | ({"only": only} if only else {})
    where = {"start": {"line": first, "character": 0}, "end": {"line": last, "character": 0}}
    params = {"textDocument": {"uri": uri}, "range": where, "context": context}
    return [one["title"] for one in await editor.call("textDocument/codeAction", params) or []]


async def test_only_what_makes_sense_is_offered() -> None:
    translate = "Translate comments into English"
    async with editing() as editor:
        await editor.initialize(PLAIN)
        for name, (language, text) in TEXTS.items():
            editor.open(f"file:///w/{name}", text, language=language)

        plain = await titles(editor, "english.py", 4, 4)
        assert plain == ["Review this file", "Review uncommitted changes of this file"]
        chosen = await titles(editor, "english.py", 1, 3)
        assert chosen[:5] == [
            "Explain",
            "Document selection",
            "Simplify selection",
            "Write tests for selection",
            "Review selection",
        ]
        assert await titles(editor, "english.py", 1, 3, ["source"]) == ["Review selection", *plain]
        assert (await titles(editor, "unwritten.py", 0, 0))[0] == "Implement"

        assert "Do: add the tax" in await titles(editor, "asking.py", 0, 0)
        assert "Do: it is wrong" in await titles(editor, "asking.ts", 0, 2)
        for name, line in (("asking.py", 1), ("asking.py", 3), ("asking.py", 2), ("asking.ts", 1)):
            assert not any(one.startswith("Do:") for one in await titles(editor, name, line, line))

        # A string of another language is none of a comment's, nor is what is behind a documentation's end.
        for name, first, last, wanted in (
            ("english.py", 1, 7, False),
            ("english.py", 0, 0, True),
            ("foreign.py", 0, 0, False),
            ("foreign.py", 1, 1, True),
            ("foreign.py", 1, 4, True),
            ("foreign.py", 5, 5, True),
            ("foreign.ts", 1, 1, True),
            ("foreign.ts", 3, 3, False),
            ("foreign.ts", 4, 4, True),
        ):
            assert (translate in await titles(editor, name, first, last)) is wanted, (name, first, last)
        assert await titles(editor, "foreign.py", 1, 4, ["quickfix"]) == []
