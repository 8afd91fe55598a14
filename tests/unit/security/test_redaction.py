"""Every secret of the corpus goes, nothing else does, and a window that cuts through one lets nothing through."""

from __future__ import annotations

import re

import pytest

from dragoman.security.redaction import Redactor
from tests.support.secret_corpus import Case, read_corpus

CORPUS = list(read_corpus())


def places(text: str, redactor: Redactor) -> set[tuple[int, int]]:
    """Return what the redactor takes for secrets, as places of the whole text."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return {(starts[line] + span.start, starts[line] + span.end) for line, span in redactor.explain(text)}


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_exactly_the_marked_secrets_are_found(case: Case) -> None:
    found = places(case.text, Redactor())

    missed = {case.text[a:b] for a, b in case.secrets if not any(x <= a and b <= y for x, y in found)}
    assert not missed
    false = {case.text[x:y] for x, y in found if not any(x <= a and b <= y for a, b in case.secrets)}
    assert not false
    assert sum(y - x for x, y in found) <= sum(b - a for a, b in case.secrets) + 2 * len(found)


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_what_was_taken_out_is_put_back(case: Case) -> None:
    redactor = Redactor()
    redacted = redactor.redact(case.text)

    for start, end in case.secrets:
        assert case.text[start:end] not in redacted
    assert redactor.restore(redacted) == case.text
    assert redactor.redact(redacted) == redacted
    assert redacted.count("\n") == case.text.count("\n")


@pytest.mark.parametrize("case", [case for case in CORPUS if case.secrets], ids=str)
def test_no_cursor_lets_a_half_of_a_secret_through(case: Case) -> None:
    redactor = Redactor()
    for start, end in case.secrets:
        for cursor in range(start, end + 1, 3):
            before, after = redactor.redact_around(case.text[:cursor], case.text[cursor:])
            secret = case.text[start:end]
            for half in (secret[: cursor - start], secret[cursor - start :]):
                assert len(half) < 7 or half not in before + after, (half, cursor)
            assert redactor.restore(before) + redactor.restore(after) == case.text


ROLLED = [case for case in CORPUS if any(end - start >= 40 for start, end in case.secrets)]


@pytest.mark.parametrize("case", ROLLED, ids=str)
def test_no_window_lets_twenty_characters_of_a_key_through(case: Case) -> None:
    redactor = Redactor()
    for start, end in case.secrets:
        secret = case.text[start:end]
        if end - start < 40 or not secret.isalnum() or re.fullmatch(r"[0-9a-f]+", secret):
            continue
        for cut in range(0, end - start - 20, 7):
            # A window that begins in the key, and one that ends in it.
            tail, _ = redactor.redact_around(case.text[start + cut :], "")
            _, head = redactor.redact_around("", case.text[: end - cut])
            assert secret[cut:] not in tail, cut
            assert secret[: len(secret) - cut] not in head, cut


def test_the_same_secret_has_the_same_placeholder_in_every_text() -> None:
    redactor, other = Redactor(), Redactor()
    first = redactor.redact('password = "hunter2"')
    placeholder = first.split('"')[1]

    assert re.fullmatch(r"[A-Z_]+[0-9a-f]+", placeholder)
    assert redactor.redact("PASSWORD=hunter2\n") == f"PASSWORD={placeholder}\n"
    assert other.redact('password = "hunter2"') == first
    assert redactor.redact('password = "hunter3"') != first


def test_a_secret_goes_wherever_it_stands_again_and_a_word_does_not() -> None:
    redactor = Redactor()
    text = (
        '# hunter2 it is\npassword = "hunter2"\nlogin("bob", "hunter2")\nname = "swordfish"\npassword = "swordfish"\n'
    )
    redacted = redactor.redact(text)

    assert "hunter2" not in redacted
    assert 'name = "swordfish"' in redacted
    assert redacted.count("swordfish") == 1
    assert redactor.restore(redacted) == text


def test_what_one_redactor_hid_another_cannot_tell() -> None:
    hidden = Redactor().redact('password = "hunter2"')

    assert Redactor().restore(hidden) == hidden


def test_the_users_own_patterns_count_by_their_first_group() -> None:
    redactor = Redactor([re.compile(r"customer-(\d+)"), re.compile(r"ACME\w+")])

    redacted = redactor.redact("see customer-4711, ACMEplan and ACME")

    assert re.fullmatch(r"see customer-DRAGOMAN_SECRET_\w+, DRAGOMAN_SECRET_\w+ and ACME", redacted)
    assert redactor.restore(redacted) == "see customer-4711, ACMEplan and ACME"


def test_a_placeholder_that_is_given_to_a_password_is_not_hidden_again() -> None:
    redactor = Redactor()
    once = redactor.redact('db = "postgres://u:s3cr3tPw@host/x"')
    value = re.search(r"DRAGOMAN_SECRET_\w+", once)
    assert value

    for text in (f'password = "{value[0]}"', f"PASSWORD={value[0]}", f"redis://:{value[0]}@h/0"):
        assert redactor.redact(text) == text


@pytest.mark.parametrize(
    ("spoil", "garbled"),
    [
        (lambda name: name, False),
        (lambda name: f'x = "{name}"\ny = "{name}"', False),
        (lambda name: name.lower(), True),
        (lambda name: name.replace("_", "-"), True),
        (lambda name: name[:-1], True),
        (lambda name: name + "0", True),
        (lambda name: name + "_copy", True),
        (lambda name: name[1:], True),
        (lambda name: name[:-2] + ("00" if name[-2:] != "00" else "11"), True),
        (lambda name: name.replace("SECRET", "SECERT"), True),
        (lambda name: name.rpartition("_")[2], True),
        (lambda name: f"{name} and DRAGOMAN_SECRET_", True),
        (lambda name: "a dragoman keeps secrets", False),
    ],
)
def test_a_damaged_placeholder_is_noticed(spoil, garbled: bool) -> None:
    redactor = Redactor()
    name = redactor.redact('password = "hunter2"').split('"')[1]

    assert redactor.is_garbled(spoil(name)) is garbled


def test_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.security.redaction.redactor.REDACTED_LINES", 10)
    monkeypatch.setattr("dragoman.security.redaction.placeholders.PLACEHOLDERS", 5)
    redactor = Redactor()
    texts = [redactor.redact(f'password = "hunter{number:03}"') for number in range(50)]

    assert len(redactor._judged) == 10
    assert len(redactor._placeholders._secrets) == 5
    assert redactor.restore(texts[-1]) == 'password = "hunter049"'
    assert redactor.restore(texts[0]) == texts[0]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit", ["sk-", "password=", '"', "://a:", "mysql -p ", 'key="', "eyJ.", "A1b", "a/", "\\n", 'auth("a",']
)
def test_a_long_line_takes_time_by_its_length_only(unit: str) -> None:
    """A pattern that goes back over what it has read would take minutes for this; ours take a quarter of a second."""
    text = (unit * 100_000)[:100_000]
    redactor = Redactor()

    assert redactor.restore(redactor.redact(text)) == text
