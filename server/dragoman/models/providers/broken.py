"""A provider that cannot be used as it is configured: it says why, and everything else goes on."""

from __future__ import annotations

from typing import NoReturn

from dragoman.errors import DragomanError, ProviderUnreachableError
from dragoman.models.base import ModelInfo, ProviderStatus


class BrokenProvider:
    """Stands where a provider would, with the sentence that the user needs to see."""

    is_local = True
    """Nothing is ever sent."""

    max_concurrency = 1

    def __init__(self, name: str, kind: str, error: DragomanError) -> None:
        self.name = name
        self.kind = kind
        self._error = error

    async def probe(self) -> ProviderStatus:
        """Say what is wrong."""
        return ProviderStatus(reachable=False, problem=self._error.message, hint=self._error.hint)

    async def models(self) -> list[ModelInfo]:
        """Return nothing."""
        return []

    def model(self, info: ModelInfo) -> NoReturn:
        """Refuse."""
        raise ProviderUnreachableError(f"{info.name!r}: {self._error.message}", hint=self._error.hint)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""
