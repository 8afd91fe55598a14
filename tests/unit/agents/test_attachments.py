"""What shows a file of keys is recognised, whole or cut, and in a diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.agents.attachments import keys_in
from dragoman.assistance.mentions import section


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (section(".env", "A=1"), {".env"}),
        (section("deploy/id_rsa", "x\n" * 40, 30), {"deploy/id_rsa"}),
        (section(".env, lines 1 to 2", "A=1"), {".env"}),
        (section("cart.py", "x"), set()),
        ("diff --git a/.env b/.env\n+A=1\ndiff --git a/a.py b/a.py", {".env"}),
        ('diff --git "a/\\303\\274.pem" "b/\\303\\274.pem"', {"\\303\\274.pem"}),
        ("Is there something Attached, .env: in it?", set()),
    ],
)
def test_files_of_keys_are_found_in_what_is_said(text: str, keys: set[str]) -> None:
    assert keys_in(["Look.", f"What is this?\n\n{text}"]) == {Path(one) for one in keys}
