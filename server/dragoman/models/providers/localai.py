"""LocalAI: OpenAI's protocol, and pages of its own for readiness, version and the gallery that models are installed from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from difflib import get_close_matches
from typing import Any, Final

from dragoman.errors import ModelError, ModelNotFoundError, ProviderFailedError, StreamMalformedError
from dragoman.models.base import ChatRequest, Chunk, CompletionRequest, ModelInfo
from dragoman.models.providers.downloads import PullProgress, count_bytes
from dragoman.models.providers.failures import is_missing_model
from dragoman.models.providers.openai import OpenAIModel, OpenAIProvider

POLL_S: Final = 0.5
"""How often a job of the gallery is asked how far it is; it tells nothing by itself."""

CANCEL_S: Final = 2.0
"""How long whoever gives up a download waits for the server to hear of it."""


class LocalAIProvider(OpenAIProvider):
    """A LocalAI server, by its address that ends in ``/v1``."""

    @property
    def _root(self) -> str:
        return self.endpoint.base_url.removesuffix("/v1")

    async def ask_version(self, limit: float) -> str | None:
        """Ask its readiness page, then its version, which old ones do not tell."""
        await self.client.fetch_text(self._root + "/readyz", limit=limit)
        try:
            reply = await self.client.fetch("GET", self._root + "/version", limit=limit)
        except ModelError:
            return None
        version = reply.get("version") if isinstance(reply, dict) else None
        return str(version) if version else None

    def model(self, info: ModelInfo) -> LocalAIModel:
        """Return the model to call; no I/O."""
        return LocalAIModel(self, info)

    async def gallery(self) -> list[str]:
        """Return the names of the models that can be installed; raises `ModelError`."""
        reply = await self.client.fetch("GET", self._root + "/models/available")
        if not isinstance(reply, list):
            raise StreamMalformedError(f"{self.client.asker().place} did not answer with its gallery.")
        return [str(entry["name"]) for entry in reply if isinstance(entry, dict) and entry.get("name")]

    async def pull(self, name: str) -> AsyncGenerator[PullProgress, None]:
        """Let the server install a model of its gallery; yields its progress, ends when it is there, raises `ModelError`.

        ``name`` may begin with the gallery's, as in ``localai@qwen2.5-coder``. Closing the generator cancels the job.
        """
        reply = await self.client.fetch("POST", self._root + "/models/apply", {"id": name})
        job = reply.get("uuid") if isinstance(reply, dict) else None
        if not isinstance(job, str) or not job:
            raise StreamMalformedError(f"{self.client.asker().place} did not say which job installs {name!r}.")
        ended = False
        last: PullProgress | None = None
        try:
            while True:
                status = await self.client.fetch("GET", f"{self._root}/models/jobs/{job}")
                if not isinstance(status, dict):
                    raise StreamMalformedError(f"{self.client.asker().place} did not say how far the job is.")
                ended = bool(status.get("processed")) or bool(status.get("cancelled"))
                await self._check_job(status, name)
                if (step := _progress(status)) != last:
                    last = step
                    yield step
                if ended:
                    return
                await asyncio.sleep(POLL_S)
        finally:
            if not ended:
                await self._cancel(job)

    async def _check_job(self, status: dict[str, Any], name: str) -> None:
        said = self.client.asker().clean(str(status.get("message") or ""))
        # The error is an empty object where the server's language has no words for it; the message has them.
        failed = status.get("error") not in (None, "", False)
        if not failed and not status.get("cancelled"):
            return
        if "no model found" in said or "not found" in said:
            raise ModelNotFoundError(
                f"{self.client.asker().place} has no model {name!r} in its gallery.", hint=await self._suggest(name)
            )
        reason = said.removeprefix("error: ") or str(status.get("error") or "cancelled")
        raise ProviderFailedError(f"{self.client.asker().place} could not install {name!r}: {reason}.")

    async def _suggest(self, name: str) -> str:
        """Say which model of the gallery is nearest."""
        with suppress(ModelError):
            names = await self.gallery()
            if close := get_close_matches(name.rpartition("@")[2].lower(), names, n=1, cutoff=0.4):
                return f"The nearest it has is {close[0]!r}."
        return "Its gallery lists what it can install."

    async def _cancel(self, job: str) -> None:
        """Tell the server that nobody waits any more; older ones go on all the same."""
        with suppress(ModelError, TimeoutError):
            async with asyncio.timeout(CANCEL_S):
                await self.client.fetch("POST", f"{self._root}/api/operations/{job}/cancel", limit=CANCEL_S)


class LocalAIModel(OpenAIModel):
    """One model of a LocalAI server, which takes an unknown name for a file's and fails to load it."""

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Continue a text; raises ModelNotFoundError where the server has no such model."""
        try:
            async with aclosing(super().complete(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ProviderFailedError as error:
            raise await self._explained(error) from error

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer a conversation; raises ModelNotFoundError where the server has no such model."""
        try:
            async with aclosing(super().chat(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except ProviderFailedError as error:
            raise await self._explained(error) from error

    async def _explained(self, error: ProviderFailedError) -> ModelError:
        if not is_missing_model(error):
            return error
        try:
            known = {info.name for info in await self._provider.models()}
        except ModelError:
            return error
        if self._info.name in known:
            return error
        place = self._provider.client.asker().place
        missing = ModelNotFoundError(f"{place} has no model {self._info.name!r}.")
        return await self._provider.explain(missing, self._info.name)


def _progress(status: dict[str, Any]) -> PullProgress:
    """Read a job's status: sizes as texts, or at least a percentage."""
    said = str(status.get("message") or "working")
    total, completed = count_bytes(status.get("file_size")), count_bytes(status.get("downloaded_size"))
    share = status.get("progress")
    if total and completed is None and isinstance(share, int | float):
        completed = int(total * share / 100)
    return PullProgress(said, completed, total)
