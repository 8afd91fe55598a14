"""An edit that garbles a placeholder is recognised by what is left of its mark."""

from __future__ import annotations

import pytest

from dragoman.security.marks import MARK, garbles_secret
from dragoman.security.redaction import Redactor

SOURCE = 'password = "hunter2"\n'


@pytest.mark.parametrize(
    ("spoil", "garbled"),
    [
        (lambda name: name, False),
        (lambda name: name[:-1], True),
        (lambda name: name.lower(), True),
        (lambda name: name.replace("_", "-", 1), True),
        (lambda name: name[1:], True),
    ],
)
def test_a_hunk_is_refused_when_its_placeholder_stands_for_nothing(spoil, garbled: bool) -> None:
    redactor = Redactor()
    name = redactor.redact(SOURCE).split('"')[1]
    hunk = redactor.restore(f'password = "{spoil(name)}"\ntimeout = 3\n')

    assert name.startswith(MARK)
    assert garbles_secret(hunk, SOURCE) is garbled
    assert ("hunter2" in hunk) is not garbled


def test_code_about_placeholders_may_be_edited() -> None:
    source = f'MARK = "{MARK}"\n'

    assert not garbles_secret(source.replace("=", ":="), source)
    assert garbles_secret(source, "x = 1\n")
