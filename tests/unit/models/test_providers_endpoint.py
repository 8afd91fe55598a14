"""Addresses as people write them, and what importing the providers costs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from dragoman.errors import SettingsError
from dragoman.models.providers.answers import StopCutter
from dragoman.models.providers.endpoint import Endpoint, StatedModel


@pytest.mark.parametrize(
    ("kind", "written", "used"),
    [
        ("openai", "http://localhost:1234/v1", "http://localhost:1234/v1"),
        ("openai", "http://localhost:1234/v1/", "http://localhost:1234/v1"),
        ("openai", "http://localhost:1234", "http://localhost:1234/v1"),
        ("openai", " http://localhost:1234/ ", "http://localhost:1234/v1"),
        ("openai", "localhost:1234", "http://localhost:1234/v1"),
        ("openai", "https://api.example.com/v1/chat/completions", "https://api.example.com/v1"),
        ("openai", "https://api.example.com/v1/models", "https://api.example.com/v1"),
        ("openai", "https://api.example.com/openai/deployments/x", "https://api.example.com/openai/deployments/x"),
        ("localai", "HTTP://localhost:8080/v1//", "http://localhost:8080/v1"),
        ("ollama", "http://localhost:11434", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/v1", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/api", "http://localhost:11434"),
        ("ollama", "http://localhost:11434/api/generate", "http://localhost:11434"),
        ("ollama", "https://example.com/ollama/", "https://example.com/ollama"),
        ("llamacpp", "http://[::1]:8080/completion", "http://[::1]:8080"),
        ("llamacpp", "http://localhost:8080/v1/chat/completions", "http://localhost:8080"),
        ("llamacpp", "http://localhost:8080/props", "http://localhost:8080"),
    ],
)
def test_an_address_is_put_right(kind: Any, written: str, used: str) -> None:
    assert Endpoint("x", kind, written).base_url == used


@pytest.mark.parametrize("kind", ["openai", "localai", "llamacpp", "ollama"])
@pytest.mark.parametrize(
    "written", ["", "ftp://host/v1", "http://", "http://host:port", "http://host/v1?key=1", "http://a b"]
)
def test_what_is_no_address_is_told_with_a_right_one(kind: Any, written: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Endpoint("x", kind, written)
    assert repr(written) in caught.value.message
    assert ("/v1'" in caught.value.hint) == (kind in ("openai", "localai"))


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1", True),
        ("http://LOCALHOST:1", True),
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9:1", True),
        ("http://[::1]:1", True),
        ("http://0.0.0.0:1", False),
        ("http://192.168.1.2:1", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("https://api.example.com", False),
    ],
)
def test_only_a_loopback_address_is_local(url: str, local: bool) -> None:
    assert Endpoint("x", "openai", url).is_local is local
    assert not Endpoint("x", "openai", url, proxy="http://proxy.example.com:3128").is_local
    assert Endpoint("x", "openai", url, proxy="http://localhost:3128").is_local is local


def test_passwords_are_not_shown() -> None:
    endpoint = Endpoint("x", "openai", "https://user:word@example.com/v1", api_key="sk-1", headers={"X-Key": "sk-2"})
    assert endpoint.address == "https://example.com/v1"
    assert "word" not in repr(endpoint)
    assert "sk-" not in repr(endpoint)


@pytest.mark.parametrize("key", ["sk-line\nbreak", "sk-ü"])
def test_a_key_that_no_header_can_hold_is_told_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="api_key") as caught:
        Endpoint("x", "openai", "http://localhost", api_key=key)
    assert key not in str(caught.value)
    assert Endpoint("x", "openai", "http://localhost", api_key=" sk-1\n").api_key == "sk-1"


def test_an_unknown_template_is_told() -> None:
    with pytest.raises(SettingsError, match="'qwne'") as caught:
        Endpoint("x", "openai", "http://localhost", models=(StatedModel("m", fim="qwne"),))
    assert "qwen" in caught.value.hint


def test_importing_the_providers_does_not_import_the_http_library() -> None:
    script = (
        "import sys\n"
        "from dragoman.models.providers import make_provider\n"
        "from dragoman.models.providers.endpoint import Endpoint\n"
        "for kind in ('openai', 'llamacpp', 'ollama', 'localai'):\n"
        "    make_provider(Endpoint('x', kind, 'http://localhost:1'))\n"
        "print([name for name in ('httpx', 'httpcore', 'anyio', 'tiktoken') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    ("pieces", "stops", "passed", "stopped"),
    [
        (["a", "b"], (), "ab", False),
        (["one\ntwo"], ("\n",), "one", True),
        (["one\r", "\ntwo"], ("\r\n",), "one", True),
        (["a<|", "im_", "end|>b"], ("<|im_end|>",), "a", True),
        (["a<|", "im_", "start"], ("<|im_end|>",), "a<|im_start", False),
        (["ab", "ab", "c"], ("abc",), "ab", True),
        (["xx", "yx"], ("xyz", "yx"), "xx", True),
        (["abc"], ("c", "b"), "a", True),
        (["a"], ("",), "a", False),
    ],
)
def test_a_stop_text_is_found_across_pieces(
    pieces: list[str], stops: tuple[str, ...], passed: str, stopped: bool
) -> None:
    cutter = StopCutter(stops)
    text = "".join(cutter.feed(piece) for piece in pieces) + cutter.end()
    assert (text, cutter.stopped) == (passed, stopped)
