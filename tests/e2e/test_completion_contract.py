"""What users may rely on while they type, held against the real server by somebody who knows only its interface."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.test_server import CONFIG, scene
from tests.support.fake_editor import FakeEditor, Message
from tests.support.fake_model import Script

CALL = "compute(alpha, beta)"
BODY = "if value:\n        one = first(value)\n        two = second(one)\n        return two"
FUNCTION = "def choose(value):\n    ‸\n"


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Buffer:
    """A document in the editor, with the cursor where ``‸`` is."""

    def __init__(self, editor: FakeEditor, marked: str, name: str = "a.py", language: str = "python") -> None:
        self.editor = editor
        self.uri = f"file:///w/{name}"
        self.before, self.after = marked.split("‸")
        self.version = 1
        editor.open(self.uri, self.before + self.after, language=language)

    @property
    def place(self) -> tuple[int, int]:
        return self.before.count("\n"), units(self.before[self.before.rfind("\n") + 1 :])

    def type(self, text: str) -> None:
        line, character = self.place
        self.replace(line, character, line, character, text)
        self.before += text

    def backspace(self) -> None:
        line, character = self.place
        self.replace(line, character - units(self.before[-1]), line, character, "")
        self.before = self.before[:-1]

    def replace(self, line: int, character: int, last: int, end: int, text: str) -> None:
        """Change the document somewhere; the caller keeps ``before`` true."""
        self.version += 1
        self.editor.change(self.uri, self.version, (line, character, last, end, text))

    def close(self) -> None:
        self.editor.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})

    def ask(self, kind: int = 2) -> int | str:
        params = self.editor.inline_params(self.uri, *self.place, kind)
        return self.editor.request("textDocument/inlineCompletion", params)

    async def items(self, kind: int = 2, **context: Any) -> list[Message]:
        return await self.editor.inline(self.uri, *self.place, kind, **context)

    async def ghost(self, kind: int = 2) -> str:
        items = await self.items(kind)
        return items[0]["insertText"] if items else ""

    async def menu(self) -> Message:
        line, character = self.place
        position = {"line": line, "character": character}
        return await self.editor.call(
            "textDocument/completion", {"textDocument": {"uri": self.uri}, "position": position}
        )


def completion(**settings: Any) -> str:
    """Return the settings file with these under ``[completion]``."""
    head = CONFIG.partition("[completion]")[0]
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"debounce_ms": 0, **settings}.items()]
    return "\n".join([head, "[completion]", *lines])


def fake(text: str = CALL, **script: Any) -> Script:
    return Script(text=text + "\n", models=["fake-coder"], **script)


def by_whole_prompt(prefix: str, suffix: str) -> str:
    """Say something else for every other text around the cursor."""
    return f"value_{hashlib.sha256(f'{prefix}|{suffix}'.encode()).hexdigest()[:8]}(x)\n"


# -- typing through and taking -----------------------------------------------------------------------------------------


async def test_words_and_lines_are_taken_and_the_rest_stays(tmp_path) -> None:
    async with scene(tmp_path, fake(BODY)) as (editor, model):
        buffer = Buffer(editor, FUNCTION)
        assert await buffer.ghost() == BODY
        taken = ""
        for piece in ["if", " value:", "\n        ", "one = first(value)", "\n        two", " = second(one)\n        "]:
            buffer.type(piece)
            taken += piece
            assert taken + await buffer.ghost() == BODY

        assert len(model.generations) == 1


async def test_enter_that_indents_by_itself_or_not_at_all(tmp_path) -> None:
    async with scene(tmp_path, fake(BODY)) as (editor, model):
        buffer = Buffer(editor, FUNCTION)
        await buffer.ghost()
        buffer.type("if value:")
        buffer.type("\n")
        assert (await buffer.ghost()).lstrip(" ") == BODY.partition("\n")[2].lstrip(" ")
        for _ in range(2):
            buffer.type("    ")
        assert await buffer.ghost() == BODY.partition("\n")[2].lstrip(" ")
        assert len(model.generations) == 1


async def test_taking_back_what_was_typed_brings_back_what_was_shown(tmp_path) -> None:
    async with scene(tmp_path, fake()) as (editor, model):
        buffer = Buffer(editor, "x = ‸\n")
        for key in "comp":
            await buffer.ghost()
            buffer.type(key)
        for left in range(3, -1, -1):
            buffer.backspace()
            assert await buffer.ghost() == CALL[left:]

        assert len(model.generations) == 1


BRACKETS = [
    ("typescript", "export function f(rows: Row[]) {\n  ‸\n}\n", "const { id, name } = rows[0] ?? { id: 0 };"),
    (
        "typescript",
        "export function g(rows: Row[]) {\n  ‸\n}\n",
        "return rows.map((r) => ({ id: r.id, name: `${r.name}` }));",
    ),
    ("go", "package a\n\nfunc f() int {\n\t‸\n}\n", 'm := map[string][]int{"a": {1, 2}}'),
    ("rust", "fn f(v: &[u8]) -> usize {\n    ‸\n}\n", "let n: usize = v.iter().map(|b| *b as usize).sum();"),
    ("python", "def f(xs):\n    ‸\n", 'return {x["k"]: [y for y in x["v"] if y] for x in xs}'),
    ("ruby", "def f(xs)\n  ‸\nend\n", "xs.map { |x| x[:name].to_s }.reject(&:empty?)"),
    ("lua", "local function f(a)\n  ‸\nend\n", 'local t = { name = "x", size = #a, [1] = f(a) }'),
]


async def test_a_line_with_brackets_stays_on_screen_at_every_key(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        for number, (language, marked, line) in enumerate(BRACKETS):
            model.script.text = line + "\n"
            buffer = Buffer(editor, marked, f"{number}.txt", language)
            await buffer.ghost()
            for at, key in enumerate(line[:-1], start=1):
                buffer.type(key)
                assert await buffer.ghost() == line[at:], line[:at]

        assert len(model.generations) == len(BRACKETS)


PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "`": "`"}


@pytest.mark.parametrize(
    ("language", "marked", "line"),
    [
        (
            "typescript",
            "export async function f(url: string) {\n  ‸\n}\n",
            "const users = await fetch(`${url}/users?limit=${PAGE}`).then((r) => r.json());",
        ),
        (
            "python",
            "def f(path):\n    ‸\n",
            'self.cache[key(first, second)] = {"name": [len(x) for x in xs], "n": 1} or x',
        ),
    ],
)
async def test_brackets_that_close_themselves_cost_nothing(tmp_path, language, marked, line) -> None:
    async with scene(tmp_path, fake(line)) as (editor, model):
        buffer = Buffer(editor, marked, "a.txt", language)
        await buffer.ghost()
        closers = ""
        for at, key in enumerate(line[:-4], start=1):
            if closers.startswith(key):
                place = buffer.place
                buffer.replace(*place, place[0], place[1] + 1, key)
                buffer.before += key
                closers = closers[1:]
            else:
                buffer.type(key + PAIRS.get(key, ""))
                closers = PAIRS.get(key, "") + closers
                buffer.before = buffer.before.removesuffix(PAIRS.get(key, "")) if key in PAIRS else buffer.before
            (item,) = await buffer.items()
            replaced = item["range"]["end"]["character"] - buffer.place[1]
            # What the editor's own closers do not end, they follow; nothing is closed twice.
            assert (line[:at] + item["insertText"] + closers[replaced:]).rstrip(")]}`\"'") in line, line[:at]
            assert line[at:].startswith(item["insertText"]), line[:at]

        assert len(model.generations) == 1


async def test_who_is_faster_than_the_stream_joins_it_and_a_cancel_does_not_stop_it(tmp_path) -> None:
    async with scene(tmp_path, fake(first_token_delay=0.3, token_size=1, token_delay=0.02)) as (editor, model):
        buffer = Buffer(editor, "x = ‸\n")
        asked = [buffer.ask()]
        await model.wait_for(lambda fake: fake.in_flight == 1)
        for key in CALL[:6]:
            editor.notify("$/cancelRequest", {"id": asked[-1]})
            buffer.type(key)
            asked.append(buffer.ask())
        last = await editor.await_reply(asked.pop())
        assert last["result"]["items"][0]["insertText"] == CALL[6:]
        for request in asked:
            reply = await editor.await_reply(request)
            assert "error" in reply or reply["result"]["items"] == []

        assert len(model.generations) == 1
        assert not model.generations[0].hung_up


# -- never stale -------------------------------------------------------------------------------------------------------

LONG = "call(argument_one=1111111111, argument_two=2222222222, argument_three=3333333333, argument_four=4)\n"


@pytest.mark.parametrize(
    ("marked", "edit"),
    [
        ("mode = 1\nb = 2\nc = 3\nx = ‸\n", (0, 7, 0, 8, "2")),
        ("mode = 1\n" + LONG * 4 + "x = ‸\n", (0, 7, 0, 8, "2")),
        ("x = ‸\nmode = 1\n", (1, 0, 1, 4, "case")),
        ("x = ‸\nmode = 1\nother = 2\n", (2, 0, 2, 5, "another")),
        ("x = ‸\n\n\nmode = 1\n", (3, 7, 3, 8, "2")),
    ],
    ids=["above", "above long lines", "below", "second below", "below blank lines"],
)
async def test_a_change_of_what_the_model_read_is_a_new_question(tmp_path, marked, edit) -> None:
    async with scene(tmp_path) as (editor, model):
        model.answer = by_whole_prompt
        buffer = Buffer(editor, marked)
        old = await buffer.ghost()
        buffer.replace(*edit)
        new = await buffer.ghost()

        assert old
        assert new
        assert old != new


async def test_equal_lines_under_another_beginning_are_another_question(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        model.answer = by_whole_prompt
        json_file = Buffer(editor, "import json\n" + LONG * 4 + "x = ‸\n")
        yaml_file = Buffer(editor, "import yaml\n" + LONG * 4 + "x = ‸\n", "b.py")

        assert await json_file.ghost() != await yaml_file.ghost()


async def test_undo_brings_the_old_answer_back_and_only_that(tmp_path) -> None:
    async with scene(tmp_path) as (editor, model):
        model.answer = by_whole_prompt
        buffer = Buffer(editor, "mode = 1\nx = ‸\n")
        first = await buffer.ghost()
        buffer.replace(0, 7, 0, 8, "2")
        second = await buffer.ghost()
        buffer.replace(0, 7, 0, 8, "1")

        assert await buffer.ghost() == first != second


# -- the connection to the model ---------------------------------------------------------------------------------------

MISFITS: dict[str, Callable[[Buffer], None]] = {
    "another word": lambda buffer: buffer.replace(2, 4, 2, 4, "other"),
    "selection replaced": lambda buffer: buffer.replace(2, 0, 2, 4, "total"),
    "line removed": lambda buffer: buffer.replace(2, 0, 3, 0, ""),
    "enter": lambda buffer: buffer.replace(2, 4, 2, 4, "\n"),
    "line above": lambda buffer: buffer.replace(1, 6, 1, 7, "7"),
    "line below": lambda buffer: buffer.replace(3, 0, 3, 3, "bar"),
    "another text": lambda buffer: buffer.editor.change(buffer.uri, 2, "hello = 1\n"),
    "closed": lambda buffer: buffer.close(),
}


@pytest.mark.parametrize("how", MISFITS)
@pytest.mark.parametrize("begun", [True, False], ids=["streaming", "silent"])
async def test_a_misfit_closes_the_connection_and_the_request_is_answered(tmp_path, how, begun) -> None:
    script = fake("compute(first) ", endless=True, token_delay=0.02, first_token_delay=0.0 if begun else 0.5)
    async with scene(tmp_path, script) as (editor, model):
        buffer = Buffer(editor, "one = 1\ntwo = 2\nx = ‸\nfoo = 3\n")
        asked = buffer.ask()
        await model.wait_for(lambda fake: fake.in_flight == 1 and (not begun or fake.generations[0].tokens > 0))
        MISFITS[how](buffer)
        await model.wait_for(lambda fake: fake.in_flight == 0)

        assert model.generations[0].hung_up
        assert "id" in await editor.await_reply(asked)


async def test_an_edit_far_away_leaves_the_stream_alone(tmp_path) -> None:
    rows = "".join(f"row_{index} = {index}\n" for index in range(300))
    async with scene(tmp_path, fake(first_token_delay=0.3)) as (editor, model):
        buffer = Buffer(editor, f"{rows}x = ‸\n{rows}")
        asked = buffer.ask()
        await model.wait_for(lambda fake: fake.in_flight == 1)
        buffer.replace(0, 0, 0, 0, "import os\n")
        buffer.replace(590, 0, 590, 0, "# a note\n")
        buffer.before = "import os\n" + buffer.before

        assert await buffer.ghost() == CALL
        assert len(model.generations) == 1
        await editor.await_reply(asked)


async def test_a_server_with_one_slot_never_has_two_generations(tmp_path) -> None:
    config = completion().replace('kind = "{kind}"', 'kind = "{kind}"\nmax_concurrency = 1')
    async with scene(tmp_path, fake(token_delay=0.005), config=config) as (editor, model):
        buffers = [Buffer(editor, f"x{number} = ‸\n", f"{number}.py") for number in range(4)]
        await buffers[0].ghost()
        asked = []
        for turn in range(80):
            buffer = buffers[turn * 7 % 4]
            buffer.type("cx(\n"[turn * 3 % 4])
            asked.append(buffer.ask(1 + turn % 2))
            await asyncio.sleep(0.003 * (turn % 3))
        for request in asked:
            assert "id" in await editor.await_reply(request)
        for buffer in buffers:
            buffer.close()
        await model.wait_for(lambda fake: fake.in_flight == 0)
        # A hang-up and the next request come over two connections: the server may see them in either order.
        assert model.max_in_flight <= 2
        assert len(model.generations) > 4


# -- early replies -----------------------------------------------------------------------------------------------------


async def test_lines_are_taken_as_they_come_from_one_stream(tmp_path) -> None:
    config = completion(show_after_ms=0)
    async with scene(tmp_path, fake(BODY, token_delay=0.02), config=config) as (editor, model):
        buffer = Buffer(editor, FUNCTION)
        taken = ""
        while taken != BODY:
            shown = await buffer.ghost()
            assert shown
            assert BODY[len(taken) :].startswith(shown)
            assert BODY[len(taken + shown) :][:1] in {"", "\n"}, "only whole lines are shown early"
            buffer.type(shown)
            taken += shown

        assert len(model.generations) == 1


async def test_a_line_that_takes_longer_than_show_after_is_waited_for(tmp_path) -> None:
    script = fake(first_token_delay=0.3, token_delay=0.05)
    async with scene(tmp_path, script, config=completion(show_after_ms=20)) as (editor, _):
        assert await Buffer(editor, "x = ‸\n").ghost() == CALL


# -- who asks, and how -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(1,), (0, 0), (1, 1), (0,)])
async def test_an_explicit_request_is_answered_whatever_the_settings(tmp_path, kinds) -> None:
    config = completion(debounce_ms=600_000, show_threshold=1.0, trigger="invoked")
    async with scene(tmp_path, fake(), config=config) as (editor, _):
        buffer = Buffer(editor, "x = ‸\n")
        for kind in kinds:
            assert await buffer.ghost(kind) == CALL
            buffer.type("1\nx = ")


async def test_one_means_automatic_for_a_client_that_counts_from_nought(tmp_path) -> None:
    async with scene(tmp_path, fake(), config=completion(trigger="invoked")) as (editor, model):
        buffer = Buffer(editor, "x = ‸\n")
        assert await buffer.ghost(0) == CALL
        buffer.type("1\ny = ")
        assert await buffer.ghost(1) == ""
        assert len(model.generations) == 1


async def test_the_popups_item_counts_in_the_clients_units(tmp_path) -> None:
    async with scene(tmp_path, fake("(alpha)")) as (editor, model):
        buffer = Buffer(editor, "s = '🐉🐉'; fo‸\n")
        line, character = buffer.place
        start = {"line": line, "character": character - 2}
        span = {"start": start, "end": {"line": line, "character": character}}
        (item,) = await buffer.items(selectedCompletionInfo={"range": span, "text": "format"})

        assert item["insertText"] == "format(alpha)"
        assert item["range"] == span
        assert model.generations[0].prefix.endswith("'🐉🐉'; format")


async def test_a_menu_is_empty_at_once_and_full_when_asked_again(tmp_path) -> None:
    async with scene(tmp_path, fake(first_token_delay=1.0)) as (editor, model):
        buffer = Buffer(editor, "x = ‸\n")
        assert await buffer.menu() == {"isIncomplete": True, "items": []}
        again = await buffer.menu()

        assert again["isIncomplete"]
        assert [item["textEdit"]["newText"] for item in again["items"]] == [CALL]
        assert len(model.generations) == 1


# -- texts -------------------------------------------------------------------------------------------------------------


ODD = {
    "empty": "‸",
    "byte order mark": "\ufeffx = ‸\n",
    "form feed": "a = 1\n\f\nx = ‸\n",
    "unicode separators": "a = '\u2028\x85'; x = ‸\n",
    "crlf": "a = '🐉'\r\nx = ‸\r\nb = 2\r\n",
}


@pytest.mark.parametrize("token_size", [1, None, 10_000], ids=["byte by byte", "words", "one chunk"])
async def test_odd_texts_and_odd_streams(tmp_path, token_size) -> None:
    script = Script(text=f"{CALL}  \r\n", token_size=token_size, models=["fake-coder"])
    async with scene(tmp_path, script) as (editor, _):
        for name, marked in ODD.items():
            assert await Buffer(editor, marked, f"{name.replace(' ', '')}.py").ghost(1) == CALL, name


async def test_what_was_taken_is_counted(tmp_path, monkeypatch) -> None:
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    async with scene(tmp_path, fake()) as (editor, _):
        buffer = Buffer(editor, "x = ‸\n")
        assert await buffer.ghost() == CALL
        buffer.type(CALL)
        buffer.type("\n")
        await editor.status()
    told = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "dragoman", "metrics", "--json"],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
    )
    total = json.loads(told.stdout)["total"]
    assert (total["shown"], total["whole"], total["accepted"]) == (1, 1, 1)


async def test_two_hundred_documents_leave_no_task(tmp_path) -> None:
    async with scene(tmp_path, fake()) as (editor, _):
        await Buffer(editor, "x = ‸\n").ghost()
        before = (await editor.status())["process"]
        for number in range(200):
            buffer = Buffer(editor, f"x{number} = ‸\n", f"{number}.py")
            assert await buffer.ghost() == CALL
            buffer.close()
        after = await editor.await_status(lambda status: status["process"]["tasks"] <= before["tasks"] + 1)
        assert after["process"]["documents"] == before["documents"]
