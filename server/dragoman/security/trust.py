"""Which project folders the user trusts: only their ``dragoman.toml`` may name providers, keys and commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dragoman.errors import DragomanError, SettingsError
from dragoman.file_replace import replace_file
from dragoman.settings.folders import config_folder

TRUST_FILE = "trusted.json"


class TrustStore:
    """The list of trusted folders, in the user's settings folder; only the user can write it.

    Trust is for exactly one folder, links resolved: a project inside a trusted one may come from someone else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def default(cls, environ: Mapping[str, str] | None = None) -> TrustStore:
        """Return the user's own store."""
        return cls(config_folder(environ) / TRUST_FILE)

    def folders(self) -> tuple[Path, ...]:
        """Return the trusted folders; raises SettingsError when the list cannot be read."""
        try:
            listed = json.loads(self.path.read_text(encoding="utf-8"))
            folders = listed["folders"]
            if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
                raise TypeError
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError):
            raise SettingsError(
                f"The list of trusted projects {str(self.path)!r} cannot be read, so no project is trusted.",
                hint="Remove the file and run `dragoman trust` again where you need it.",
            ) from None
        return tuple(Path(folder) for folder in folders)

    def is_trusted(self, folder: Path) -> bool:
        """Tell whether the folder is trusted; a list that cannot be read trusts nobody."""
        try:
            return folder.resolve() in self.folders()
        except (DragomanError, OSError, RuntimeError):
            return False

    def trust(self, folder: Path) -> bool:
        """Add the folder; returns False when it was there already; raises SettingsError when it is no folder."""
        resolved = folder.resolve()
        if not resolved.is_dir():
            raise SettingsError(f"{str(folder)!r} is not a folder.", hint="Name the folder that holds dragoman.toml.")
        known = self.folders()
        if resolved in known:
            return False
        self._write((*known, resolved))
        return True

    def revoke(self, folder: Path) -> bool:
        """Take the folder off the list; returns False when it was not on it."""
        resolved = folder.resolve()
        known = self.folders()
        if resolved not in known:
            return False
        self._write(tuple(path for path in known if path != resolved))
        return True

    def _write(self, folders: tuple[Path, ...]) -> None:
        text = json.dumps({"folders": sorted(map(str, folders))}, indent=2) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, text.encode())
        except OSError as error:
            raise SettingsError(
                f"The list of trusted projects {str(self.path)!r} cannot be written: {error.strerror or error}.",
                hint="Check the rights of the folder, or set DRAGOMAN_CONFIG_DIR.",
            ) from None
