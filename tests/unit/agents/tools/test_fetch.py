"""Fetching pages, from real servers on this machine that misbehave too."""

from __future__ import annotations

import asyncio
import contextlib
import math
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dragoman.agents.limits import FETCH_BYTES
from dragoman.agents.tools import fetch, html_text
from dragoman.agents.tools.fetch import FetchUrl
from dragoman.agents.tools.html_text import read_html
from dragoman.agents.tools.policy import Policy, Request, Rule, rules_of_answer
from dragoman.agents.tools.references import FindReferences
from dragoman.agents.tools.web import is_public
from dragoman.errors import EditMismatchError, FetchError, SecretFileError, ToolDeniedError
from tests.support.tool_bench import ToolBench

NEAR = Rule("allow", "network", "fetch_url", path="localhost")
HTML = (
    b"<html><head><title>A &amp; B</title><style>x{}</style></head><body><h1>Top</h1><script>evil()</script>"
    b"<p>One <a href='/two'>two</a>"
)


@asynccontextmanager
async def site(*answers: bytes, ends: bool = True) -> AsyncIterator[tuple[str, list[str]]]:
    """Yield an address that gives the answers in turn, and what it was asked."""
    asked: list[str] = []
    left = list(answers)
    open_ones: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        if ends:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        for one in open_ones:
            one.transport.abort()
        # Its end is heard of a turn later.
        await asyncio.sleep(0.01)


def bench(tmp_path: Path, *rules: Rule) -> ToolBench:
    return ToolBench(tmp_path, more=[FetchUrl()], policy=Policy(rules, trusted=True))


def ok(body: bytes, kind: str = "text/html", more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}\r\n".encode() + body


async def test_a_page_is_read_as_text(tmp_path: Path) -> None:
    chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    moved = b"HTTP/1.1 302 Found\r\nLocation: /next?a=1\r\n\r\n"
    async with site(
        ok(HTML), ok(chunks, "text/plain", "Transfer-Encoding: chunked\r\n"), moved, ok(b"{}", "application/json")
    ) as (
        url,
        asked,
    ):
        at = bench(tmp_path, NEAR)
        text = await at.call("fetch_url", url=f"{url}/page")
        assert "Title: A & B" in text
        assert "# Top" in text
        assert "two (/two)" in text
        assert "evil" not in text
        assert (await at.call("fetch_url", url=url)).endswith("\nhello world")
        assert (await at.call("fetch_url", url=url)).endswith("\n{}")
        assert asked[-1].startswith("GET /next?a=1 HTTP/1.1\r\nHost: localhost:")


async def test_it_is_closed_until_a_rule_opens_it_and_asked_about_by_host(tmp_path: Path) -> None:
    with pytest.raises(ToolDeniedError):
        await bench(tmp_path).call("fetch_url", url="https://example.org/")
    request = Request("fixer", "fetch_url", "network", ("example.org",))
    (remembered,) = rules_of_answer(request, "allow")
    policy = Policy((Rule("ask", "network"),), trusted=True)
    assert policy.decide(request, [remembered]).verdict == "allow"
    assert policy.decide(Request("fixer", "fetch_url", "network", ("example.com",)), [remembered]).verdict == "ask"


@pytest.mark.parametrize(
    "rule", [Rule("allow", "network"), Rule("ask", "network", path="localhost"), Rule("allow", path="*")]
)
async def test_this_machine_and_network_need_a_rule_that_names_them(tmp_path: Path, rule: Rule) -> None:
    async with site(ok(b"secret")) as (url, asked):
        for one in (
            url,
            url.replace("localhost", "127.0.0.1"),
            url.replace("localhost", "0x7f.1"),
            "http://[::ffff:7f00:1]/",
        ):
            with pytest.raises((FetchError, ToolDeniedError)):
                await bench(tmp_path, rule, Rule("allow", "network")).call("fetch_url", url=one)
        assert asked == []


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    ],
)
def test_addresses_that_are_not_of_the_public_internet(address: str) -> None:
    assert not is_public(address)
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::1111")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ok(b"\x7fELF\0", "application/octet-stream"), "is no text"),
        (ok(b"a\0b", "text/plain"), "is no text"),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000, "head is too long"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnothing here", "HTTP 404: nothing here"),
        (ok(b"abc", "text/plain", "Content-Length: 99\r\n"), "broke off"),
        (ok(b"zz\r\n", "text/plain", "Transfer-Encoding: chunked\r\n"), "does not answer as it should"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /again\r\n\r\n", "more than 5 times"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://example.org/x\r\n\r\n", "at another host: 'http://example.org/x'"),
    ],
)
async def test_what_is_no_page_is_a_sentence(tmp_path: Path, answer: bytes, said: str) -> None:
    async with site(answer) as (url, _):
        with pytest.raises(FetchError, match=said):
            await bench(tmp_path, NEAR).call("fetch_url", url=url)


async def test_a_long_page_is_cut_and_a_slow_one_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(ok(b"x" * (FETCH_BYTES + 9), "text/plain")) as (url, _):
        result = await bench(tmp_path, NEAR).result("fetch_url", url=url)
        assert result.details["bytes"] == FETCH_BYTES
        assert "bytes were read" in result.text
    monkeypatch.setattr(fetch, "FETCH_SECONDS", 0.1)
    async with site(b"HTTP/1.1 200 OK\r\n", ends=False) as (url, _):
        with pytest.raises(FetchError, match=r"did not come within 0\.1 seconds"):
            await bench(tmp_path, NEAR).call("fetch_url", url=url)


async def test_an_address_that_carries_something_away_is_refused(tmp_path: Path) -> None:
    at = bench(tmp_path, Rule("allow", "network"))
    for url, said in (
        ("https://example.org/?k=AKIAZ7Q2M5XK4W6LP3RT", "a key or a password"),
        ("https://me:pw@example.org/", "a name or a password"),
        ("file:///etc/passwd", "no http"),
        ("https://example.org/\r\nX: y", "no http"),
        ("https://example.org/" + "x" * 3_000, "at most 2,000"),
    ):
        with pytest.raises(FetchError, match=said):
            await at.call("fetch_url", url=url)


def test_broken_pages_are_read_too() -> None:
    assert read_html("<p>a<pre> b\n  c</pre></a></script><![x<li>d") != ""
    assert read_html("<script>never closed") == ""


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search", {"path": ".env", "pattern": "."}),
        ("find_references", {"path": ".env", "name": "bluewhale"}),
        ("git_diff", {}),
        ("edit_file", {"path": ".env", "old": "NAME=red", "new": ""}),
        ("move_file", {"path": ".env", "target": "plain.txt"}),
        ("write_file", {"path": ".env", "content": "NAME=red\n"}),
    ],
)
async def test_nothing_is_fetched_once_anything_of_a_file_of_keys_was_shown(
    tmp_path: Path, name: str, arguments: dict[str, str]
) -> None:
    rules = (Rule("allow", "write"), Rule("allow", "network"), Rule("allow", "write", path=".env"))
    tools = ToolBench(tmp_path, more=[FetchUrl(), FindReferences()], policy=Policy(rules, trusted=True), remote=False)
    tools.write(".env", "NAME=blue\n")
    if name == "git_diff":
        for command in (
            ("init",),
            ("add", ".env"),
            ("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-m", "x"),
        ):
            subprocess.run(("git", *command), cwd=tmp_path, check=True, capture_output=True)
        tools.write(".env", "NAME=bluewhale\n")
    with contextlib.suppress(EditMismatchError):
        await tools.call(name, **arguments)
    with pytest.raises(SecretFileError, match=r"has read '\.env'"):
        await tools.call("fetch_url", url="https://example.org/")


async def test_who_has_shown_keys_before_a_run_says_so(tmp_path: Path) -> None:
    tools = bench(tmp_path, Rule("allow", "network"))
    tools.context.keys_read.add(tmp_path / ".env")
    with pytest.raises(SecretFileError):
        await tools.call("fetch_url", url="https://example.org/")


@pytest.mark.parametrize("piece", ["<!--", "<a ", "</", "<?", "<!x", "<script>", "<script", "<!<!---->--", "<a b='"])
def test_the_time_for_a_page_grows_with_its_length_alone(piece: str) -> None:
    def seconds(length: int) -> float:
        page = piece * (length // len(piece))
        best = math.inf
        for _ in range(3):
            began = time.thread_time()
            read_html(page)
            best = min(best, time.thread_time() - began)
        return best

    assert seconds(160_000) < 30 * max(seconds(20_000), 0.0005)


def test_comments_and_scripts_are_no_text_however_they_end() -> None:
    page = "<p>a<!-->b--><p>c<!-- <script> --!>d<script>x = '<!--';</script >e<STYLE>p{}</style\n>f<!-- never > ends"
    assert read_html(page).split() == ["a", "b-->", "c", "d", "e", "f"]


async def test_of_a_long_page_the_beginning_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "HTML_CHARS", 10)
    monkeypatch.setattr(html_text, "HTML_CHARS", 10)
    async with site(ok(b"<p>One</p> <p>Two</p>")) as (url, _):
        text = await bench(tmp_path, NEAR).call("fetch_url", url=url)
    assert text.splitlines()[1:] == ["One", "[… only the first 10 characters of its HTML were read …]"]


@pytest.mark.parametrize("charset", ["idna", "undefined", "punycode", "rot13", "hex", "a\0b", "no-such"])
async def test_a_charset_that_reads_nothing_is_left_aside(tmp_path: Path, charset: str) -> None:
    async with site(ok("grüß dich".encode(), f"text/plain; charset={charset}")) as (url, _):
        assert "dich" in await bench(tmp_path, NEAR).call("fetch_url", url=url)
