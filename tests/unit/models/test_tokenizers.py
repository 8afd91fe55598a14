"""Counting tokens: exact where it matters, bounded and cheap on the way of a keystroke."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from dragoman.models import tokenizers


@pytest.mark.parametrize(
    ("text", "encoding", "tokens"),
    # The counts are the ones the encodings' makers document or that follow from their vocabularies.
    [
        ("hello world", "o200k_base", 2),
        ("hello world", "cl100k_base", 2),
        ("tiktoken is great!", "cl100k_base", 6),
        ("antidisestablishmentarianism", "cl100k_base", 6),
        ("2 + 2 = 4", "cl100k_base", 7),
        ("お誕生日おめでとう", "cl100k_base", 9),
        ("お誕生日おめでとう", "o200k_base", 8),
        ("", "o200k_base", 0),
    ],
)
def test_counts_are_exact(text: str, encoding: str, tokens: int) -> None:
    assert tokenizers.count(text, encoding) == tokens


def test_special_tokens_count_as_plain_text() -> None:
    assert tokenizers.count("<|endoftext|>") > 1


def test_an_unknown_encoding_is_an_error() -> None:
    with pytest.raises(KeyError):
        tokenizers.count("text", "nothing_base")


def test_a_vocabulary_with_another_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="hash"):
        tokenizers._read_vocabulary("https://example.org/cl100k_base.tiktoken", "0" * 64)


def test_counting_works_with_a_cold_cache_and_without_a_network(tmp_path: Path) -> None:
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
        "socket.getaddrinfo = refuse\n"
        "from dragoman.models import tokenizers\n"
        "assert 'tiktoken' not in sys.modules\n"
        "assert tokenizers.estimate('hello world') > 0\n"
        "assert 'tiktoken' not in sys.modules\n"
        "print(tokenizers.count('hello world'), tokenizers.count('hello world', 'cl100k_base'))\n"
        "assert 'tiktoken' in sys.modules\n"
    )
    environment = {"TIKTOKEN_CACHE_DIR": str(tmp_path / "cold"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split() == ["2", "2"], done.stderr


def sources() -> list[str]:
    """Source files of several kinds that come with every Python: modules, and the headers of its C interface."""
    folders = {sysconfig.get_path("stdlib"): "*.py", sysconfig.get_path("include"): "*.h"}
    files = [file for folder, pattern in folders.items() for file in sorted(Path(folder).glob(pattern))]
    texts = [file.read_text(encoding="utf-8", errors="replace")[:8000] for file in files]
    return [text for text in texts if len(text) > 1000]


def test_the_estimate_is_a_bound_from_above_for_ordinary_code() -> None:
    shares = sorted(tokenizers.estimate(text) / tokenizers.count(text) for text in sources())
    assert len(shares) > 100
    assert shares[len(shares) // 100] >= 0.85
    assert 1.2 <= shares[len(shares) // 2] <= 1.7
    assert shares[-1] < 2.5


@pytest.mark.parametrize(
    "text",
    ["数値を計算する関数" * 20, "é" * 100, "1234567890" * 20, "🙂🚀" * 50, "x", "\ud800 lone"],
    ids=["ideographs", "accents", "digits", "emoji", "one letter", "lone surrogate"],
)
def test_the_estimate_holds_for_other_scripts_digits_and_odd_text(text: str) -> None:
    whole = text.encode("utf-8", "replace").decode()
    assert tokenizers.estimate(text) >= 0.85 * tokenizers.count(whole)


def test_nothing_has_no_tokens() -> None:
    assert tokenizers.estimate("") == 0
