"""The official address as a source: a streamed download that goes on where it was cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dragoman.errors import WeightsError
from dragoman.models.weights.files import HashedFile, Progress, remove, size_of
from dragoman.models.weights.manifest import ModelEntry

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 3.0
"""Short, because another source follows: an address that drops packets must not cost minutes."""

IDLE_SECONDS = 30.0
ATTEMPTS = 5
"""Connections in a row that may break without bringing a byte."""


async def download(entry: ModelEntry, partial: Path, progress: Progress) -> None:
    """Bring ``partial`` to the entry's full size, resuming what is there; raises WeightsError.

    The file is then the entry's, checked by its hash; a wrong one is deleted.
    """
    import httpx

    host = urlsplit(entry.url).hostname or entry.url
    limits = httpx.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS)
    async with httpx.AsyncClient(timeout=limits, follow_redirects=True) as client:
        failures = 0
        while True:
            before = size_of(partial)
            try:
                found = await _fetch(client, entry, partial, progress, f"downloading {entry.name} from {host}")
                break
            except httpx.HTTPError as error:
                after = size_of(partial)
                failures = 0 if after > before else failures + 1
                if failures >= ATTEMPTS or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    raise WeightsError(f"{host} cannot be reached: {error or type(error).__name__}.") from error
    if found != entry.sha256:
        remove(partial)
        raise wrong_hash(entry, found, f"from {host}")


def wrong_hash(entry: ModelEntry, found: str, origin: str) -> WeightsError:
    """Return the error for a file that is not the one the manifest names."""
    return WeightsError(
        f"The file for {entry.name!r} {origin} has the SHA-256 {found} and must have {entry.sha256}; it was deleted.",
        hint="Pull again; if it stays wrong, take the file from elsewhere with `dragoman models pull --from FILE`.",
    )


async def _fetch(client: httpx.AsyncClient, entry: ModelEntry, partial: Path, progress: Progress, what: str) -> str:
    """Do one request and return the SHA-256 of the whole file; raises httpx.HTTPError when it is cut."""
    have = size_of(partial)
    if have > entry.bytes:
        remove(partial)
        have = 0
    if have == entry.bytes:
        async with HashedFile(partial, resume=True) as file:
            return file.sha256
    # The bytes as they lie there: a packed answer could not be resumed.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    async with client.stream("GET", entry.url, headers=headers) as response:
        resumes = response.status_code == 206 and response.headers.get("content-range", "").startswith(f"bytes {have}-")
        if not resumes and response.status_code != 200:
            raise WeightsError(f"{urlsplit(entry.url).hostname} answered {response.status_code} for {entry.file!r}.")
        async with HashedFile(partial, resume=resumes) as file:
            progress(file.size, entry.bytes, what)
            # Without a chunk size: with one, what a cut leaves in the buffer would be lost.
            async for block in response.aiter_bytes():
                await file.write(block)
                progress(file.size, entry.bytes, what)
                if file.size > entry.bytes:
                    remove(partial)
                    raise WeightsError(
                        f"{urlsplit(entry.url).hostname} sent more than the {entry.bytes} bytes of {entry.file!r}."
                    )
            await file.sync()
            if file.size < entry.bytes:
                import httpx

                raise httpx.RemoteProtocolError("the connection ended before the file did")
            return file.sha256
