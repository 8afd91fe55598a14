"""Trust is for one folder, survives, can be taken back, and a broken list trusts nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.errors import SettingsError
from dragoman.security.trust import TrustStore


def test_trust_is_kept_for_exactly_one_folder(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "config" / "trusted.json")
    project, inner = tmp_path / "project", tmp_path / "project" / "vendored"
    inner.mkdir(parents=True)
    assert not store.is_trusted(project)
    assert store.trust(project) is True
    assert store.trust(project) is False
    again = TrustStore(store.path)
    assert again.is_trusted(project)
    assert not again.is_trusted(inner)
    assert not again.is_trusted(tmp_path)
    assert again.revoke(project) is True
    assert again.revoke(project) is False
    assert not store.is_trusted(project)
    assert [path.name for path in store.path.parent.iterdir()] == ["trusted.json"]


def test_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trusted.json")
    good, bad, link = tmp_path / "good", tmp_path / "bad", tmp_path / "link"
    good.mkdir()
    bad.mkdir()
    link.symlink_to(good)
    store.trust(link)
    assert store.is_trusted(good)
    link.unlink()
    link.symlink_to(bad)
    assert not store.is_trusted(link)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"folders": 3}', '{"folders": [3]}', "\xff"])
def test_a_broken_list_trusts_nobody_and_says_so(tmp_path: Path, text: str) -> None:
    store = TrustStore(tmp_path / "trusted.json")
    store.path.write_bytes(text.encode("latin-1"))
    assert not store.is_trusted(tmp_path)
    with pytest.raises(SettingsError, match="cannot be read"):
        store.trust(tmp_path)


def test_what_is_no_folder_cannot_be_trusted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a folder"):
        TrustStore(tmp_path / "trusted.json").trust(tmp_path / "nowhere")


def test_a_list_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = TrustStore(tmp_path / "file" / "trusted.json")
    with pytest.raises(SettingsError, match=r"cannot be (read|written)"):
        store.trust(tmp_path)


def test_the_default_list_is_in_the_users_settings_folder(tmp_path: Path) -> None:
    store = TrustStore.default({"DRAGOMAN_CONFIG_DIR": str(tmp_path)})
    assert store.path == tmp_path / "trusted.json"
    store.trust(tmp_path)
    assert store.path.stat().st_mode & 0o077 == 0
