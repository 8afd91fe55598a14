"""What holds for every text: out and back is the same, twice is once, and a stream is put back as the whole is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dragoman.security.redaction import Redactor
from tests.support.secret_corpus import read_corpus

CORPUS = [case.text for case in read_corpus(seed=1)]
PIECES = st.sampled_from(
    [
        *(
            'password = "',
            "hunter2",
            '"',
            "token: ",
            "Ab3dE5fG7hI9jK1lM3nO5p",
            "\n",
            "://u:",
            "@host",
            "-----BEGIN RSA PRIVATE KEY-----",
        ),
        *(
            "-----END RSA PRIVATE KEY-----",
            "MIIE" * 16,
            "aB3/" * 16,
            "DRAGOMAN_SECRET_",
            "DRAGOMAN_SECRET_0123456789",
            "Bearer ",
            "\\n",
        ),
        *(
            "\r",
            "\u2028",
            "é",
            "𝕏",
            "{}",
            "${X}",
            "<",
            ">",
            "=",
            ";",
            "'",
            "\\",
            "eyJhbGciOiJIUzI1NiJ9",
            ".",
            " ",
            "sk-",
            "\x0b",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(),
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=30).map("".join),
    st.sampled_from(CORPUS),
)


@given(TEXTS)
@settings(max_examples=120, deadline=None)
@example('password = "a\\')
@example("password=DRAGOMAN_SECRET_0123456789x")
@example("0000000000000000-----END PRIVATE KEY00000000000000000")
def test_out_and_back_is_the_same_and_twice_is_once(text: str) -> None:
    redactor = Redactor()
    redacted = redactor.redact(text)

    assert redactor.restore(redacted) == text
    assert redactor.redact(redacted) == redacted
    assert not redactor.is_garbled(redacted) or redactor.find_likeness(text) is not None


@given(TEXTS, st.integers(min_value=0))
@settings(max_examples=80, deadline=None)
def test_around_a_cursor_it_is_the_same_too(text: str, cursor: int) -> None:
    redactor = Redactor()
    cursor %= len(text) + 1
    before, after = redactor.redact_around(text[:cursor], text[cursor:])

    assert redactor.restore(before) == text[:cursor]
    assert redactor.restore(after) == text[cursor:]


@given(TEXTS, st.lists(st.integers(min_value=0), max_size=12))
@settings(max_examples=120, deadline=None)
def test_a_stream_split_anywhere_is_put_back_as_the_whole_is(text: str, cuts: list[int]) -> None:
    redactor = Redactor()
    redacted = redactor.redact(text + '\npassword = "hunter2"') + "DRAGOMAN_SECRET_"
    places = sorted({0, len(redacted), *(cut % (len(redacted) + 1) for cut in cuts)})
    stream = redactor.stream()
    longest = len("DRAGOMAN_SECRET_") + 10

    said = ""
    for start, end in pairwise(places):
        said += stream.feed(redacted[start:end])
        assert stream.held < longest
    said += stream.end()

    assert said == redactor.restore(redacted)
    assert stream.restored


@given(st.text(alphabet="DRAGOMN_SECT0123456789abcdef", max_size=60))
@settings(max_examples=80, deadline=None)
def test_nothing_is_held_back_that_cannot_become_a_placeholder(text: str) -> None:
    redactor = Redactor()
    name = redactor.redact('password = "hunter2"').split('"')[1]
    stream = redactor.stream()
    stream.feed(text)

    assert stream.held == max(
        (size for size in range(len(name)) if text.endswith(name[:size]) and size <= len(text)), default=0
    )


@given(st.lists(st.sampled_from(CORPUS), min_size=1, max_size=4), st.integers(min_value=0))
@settings(max_examples=25, deadline=None)
def test_a_remembered_line_is_judged_as_a_new_one(texts: list[str], order: int) -> None:
    used = Redactor()
    for text in texts:
        used.redact(text)
    again = texts[order % len(texts)]

    assert used.redact(again) == Redactor().redact(again)
