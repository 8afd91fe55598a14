"""Everything that is kept, opened together: the database, the cache, the files, and the ledger of what models cost.

An editor that only completes opens none of it: it costs memory, and nobody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from dragoman.context.conversation import ConversationContext, Summarise
from dragoman.context.stored_history import SharedHistory, StoredHistory
from dragoman.context.turn import ContextLimits
from dragoman.models.metering import CallMeter, CallRecord
from dragoman.settings.folders import data_folder
from dragoman.storage.cache import Cache, open_cache, scope
from dragoman.storage.database import Database
from dragoman.storage.files import FileStore
from dragoman.storage.repositories.conversations import Conversations
from dragoman.storage.repositories.usage import UsageLedger, UsageRecord
from dragoman.storage.retention import delete_expired
from dragoman.storage.write_behind import WriteBehind

if TYPE_CHECKING:
    from dragoman.settings import Settings


@dataclass(slots=True)
class Keeping:
    """What is open; `aclose` writes what waits and closes it all."""

    database: Database
    cache: Cache
    files: FileStore
    conversations: Conversations
    context: ConversationContext
    """Builds what a model reads of a conversation, and keeps what was said."""
    usage: WriteBehind[UsageRecord]
    _stop_metering: Callable[[], None]

    @classmethod
    async def open(cls, settings: Settings, meter: CallMeter, summarise: Summarise | None = None) -> Self:
        """Open what the settings name, and keep a record of every model call from now on.

        Raises SettingsError and the kinds of StorageError.
        """
        section = settings.storage
        database = await Database.open(section.database_url)
        try:
            cache = open_cache(section.cache_url)
            files = FileStore(data_folder() / "artifacts", database, quota=section.files_quota_mb * 1024 * 1024)
            await delete_expired(database, section.retention_days)
        except BaseException:
            await database.aclose()
            raise
        conversations = Conversations(database)
        context = ConversationContext(
            StoredHistory(conversations, files.read),
            SharedHistory(cache, scope("history")),
            limits=ContextLimits(settings.context.max_tokens, settings.context.history_window),
            summarise=summarise,
        )
        ledger = UsageLedger(database)
        usage: WriteBehind[UsageRecord] = WriteBehind(ledger.add)
        stop = meter.listen(lambda record: _note(usage, record))
        return cls(database, cache, files, conversations, context, usage, stop)

    async def aclose(self) -> None:
        """Write what waits and close everything, whatever fails on the way."""
        self._stop_metering()
        try:
            await self.usage.aclose()
        finally:
            await asyncio.gather(self.cache.aclose(), self.database.aclose())


def _note(usage: WriteBehind[UsageRecord], record: CallRecord) -> None:
    usage.put(
        UsageRecord(
            at=datetime.fromtimestamp(record.at, UTC),
            provider=record.provider,
            model=record.model,
            operation=record.operation,
            outcome=record.outcome,
            duration_s=record.duration,
            role=record.role or "",
            prompt_tokens=record.prompt_tokens,
            completion_tokens=record.completion_tokens,
            cached_tokens=record.cached_tokens,
            estimated=record.estimated,
            first_token_s=record.first_token,
            cost=record.cost,
            request_id=record.request_id,
        )
    )
