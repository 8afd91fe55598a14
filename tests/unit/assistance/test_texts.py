"""Whether an edit was made is read from the text where an editor says so in any case."""

from __future__ import annotations

import pytest

from dragoman.assistance.texts import path_of, was_made

BEFORE = "def total(items):\n    value = 0\n    return 0\n"


@pytest.mark.parametrize(
    ("wanted", "now", "made"),
    [
        # Made, and nothing typed, or above, below, on both sides.
        (
            BEFORE.replace("0\n    return 0", "1\n    return 1"),
            BEFORE.replace("0\n    return 0", "1\n    return 1"),
            True,
        ),
        (BEFORE.replace("return 0", "return 1"), "# a\n" + BEFORE.replace("return 0", "return 1") + "# b\n", True),
        (BEFORE.replace("    value = 0\n", ""), "# a\n" + BEFORE.replace("    value = 0\n", "") + "# b\n", True),
        # Made and typed on: into the very line.
        (BEFORE.replace("return 0", "return 1"), BEFORE.replace("return 0", "return 12"), True),
        # Refused, and typed above, below, on both sides.
        (BEFORE.replace("return 0", "return 1"), "# a\n" + BEFORE, False),
        (BEFORE.replace("return 0", "pass"), "# a\n" + BEFORE + "# b\n", False),
        (BEFORE.replace("    value = 0\n", ""), "# a\n" + BEFORE + "# b\n", False),
        # Refused, and pasted where it would have been made.
        (BEFORE + "# the end\n", BEFORE + "# another end that is longer\n", False),
        (BEFORE[:-1] + "\n# end\n", BEFORE[:-1] + " + 1\n", False),
    ],
)
def test_made_is_what_is_there(wanted: str, now: str, made: bool) -> None:
    assert was_made(wanted, BEFORE, now) is made


def test_what_is_no_file_has_no_path() -> None:
    assert path_of("file://[broken/x.py") is None
    assert path_of("untitled:1") is None
