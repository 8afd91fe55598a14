"""Files of keys are known by their names, places and links, whatever case they are written in."""

from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.security.paths import is_secret_file, is_secret_path


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".ENV", ".env.local", ".Env.Production", "prod.env", ".envrc", "server.pem", "SERVER.PEM", "tls.key"),
        *("id_rsa", "id_ed25519", "id_work", ".npmrc", ".pypirc", ".netrc", "_netrc", ".git-credentials", ".pgpass"),
        *("credentials", "credentials.json", "gcp-credentials.json", "client_secret_123.json", "service-account.json"),
        *(
            "secrets.yaml",
            "secrets.toml",
            "secret.json",
            "prod.tfvars",
            "terraform.tfstate",
            "store.jks",
            "app.keystore",
        ),
    ],
)
def test_a_file_of_keys_is_known_by_its_name(name: str) -> None:
    assert is_secret_file(name)


@pytest.mark.parametrize(
    "name",
    [
        *("main.py", ".env.example", ".env.sample", ".env-template", "id_ed25519.pub", "id_generator.py", "id_map.ts"),
        *(
            "credentials.py",
            "secrets.py",
            "secrets.go",
            "secret.md",
            "environment.yml",
            "keys.json",
            "tokens.rs",
            ".envy.py",
        ),
        *("monkey.txt", "keystore.java", "idle.txt", "README", "package.json", "key", "pem"),
    ],
)
def test_code_about_secrets_is_code(name: str) -> None:
    assert not is_secret_file(name)


@pytest.mark.parametrize(
    "path",
    [
        "/home/u/.ssh/config",
        "/home/u/.aws/config",
        "/w/.SSH/known",
        "/home/u/.docker/config.json",
        "~/.m2/settings.xml",
    ],
)
def test_so_is_what_lies_where_keys_lie(path: str) -> None:
    assert is_secret_path(path)


def test_a_project_s_own_docker_folder_holds_no_keys() -> None:
    assert not is_secret_path("/w/.docker/nginx.conf")
    assert not is_secret_path("/w/config.json")


def test_an_innocent_name_that_links_to_keys_is_no_disguise(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "notes.txt").symlink_to(tmp_path / ".env")
    (tmp_path / "twice.txt").symlink_to(tmp_path / "notes.txt")
    (tmp_path / "plain.txt").write_text("")
    (tmp_path / "other.txt").symlink_to(tmp_path / "plain.txt")
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("")
    (tmp_path / "folder").symlink_to(tmp_path / ".ssh")

    assert is_secret_path(tmp_path / "notes.txt")
    assert is_secret_path(tmp_path / "twice.txt")
    assert is_secret_path(tmp_path / "folder" / "config")
    assert not is_secret_path(tmp_path / "other.txt")
    assert not is_secret_path(tmp_path / "plain.txt")


def test_links_in_a_circle_and_names_that_no_disk_knows_are_judged_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")

    assert not is_secret_path(tmp_path / "a.txt")
    assert not is_secret_path("nul\0.txt")
    assert is_secret_path(tmp_path / "gone" / "id_rsa")
