"""The one exception tree.

Rooms raise these; each door translates them once: ``lsp`` to a JSON-RPC code, ``cli`` to an exit code.
A message names the thing with ``!r``; ``hint`` says what to do next.
"""

from __future__ import annotations

from typing import Literal


class DragomanError(Exception):
    """Root of everything Dragoman raises on purpose; doors catch it and never show a traceback for it."""

    code = "error"
    """Stable machine-readable name, used in logs, JSON output and HTTP bodies."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        end = "" if not self.hint or self.message.endswith((".", "!", "?", "…")) else "."
        return f"{self.message}{end} {self.hint}".strip()


class SettingsError(DragomanError):
    """A settings source holds an unknown key or a bad value; raised by ``settings``, shown by every door."""

    code = "settings"


# -- models ------------------------------------------------------------------------------------------------------------


class ModelError(DragomanError):
    """A model call failed; raised by providers, caught by the engine that asked."""

    code = "model"


class ModelNotFoundError(ModelError):
    """The provider has no model of that name."""

    code = "model_not_found"


class NoModelError(ModelError):
    """No provider offers a model able to fill the role."""

    code = "no_model"


class ProviderUnreachableError(ModelError):
    """Nothing answers at the provider's address, or it closed the door before answering."""

    code = "provider_unreachable"


class AuthenticationError(ModelError):
    """The provider refused the key (401 or 403)."""

    code = "authentication"


class RateLimitedError(ModelError):
    """The provider answered 429; ``retry_after`` is in seconds, None when it did not say."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RequestRejectedError(ModelError):
    """The provider answered another 4xx: the request itself is at fault and a retry will not help."""

    code = "request_rejected"


class ToolsUnsupportedError(RequestRejectedError):
    """The model, or the server as it was started, does not call tools; whoever asked may go on without or by a JSON schema."""

    code = "tools_unsupported"


class ContextOverflowError(RequestRejectedError):
    """The prompt is longer than the model's window; ``excess`` is in tokens, None when unknown."""

    code = "context_overflow"

    def __init__(self, message: str, *, excess: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.excess = excess


class ProviderFailedError(ModelError):
    """The provider answered 5xx, or its process died while it answered."""

    code = "provider_failed"


class ModelTimeoutError(ModelError):
    """A time limit ran out; ``phase`` says which one."""

    code = "timeout"

    def __init__(
        self, message: str, *, phase: Literal["connect", "first_token", "idle", "total"], hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.phase = phase


class StreamBrokenError(ModelError):
    """The stream ended before its end mark."""

    code = "stream_broken"


class StreamMalformedError(ModelError):
    """The stream holds something that is not the protocol."""

    code = "stream_malformed"


class CircuitOpenError(ProviderUnreachableError):
    """An endpoint failed so often that it is left alone for a while; ``retry_after`` is in seconds."""

    code = "circuit_open"

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class EndpointBusyError(ModelError):
    """An endpoint has as many waiting as may wait; ``retry_after`` is in seconds, and a guess."""

    code = "endpoint_busy"

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class EveryEndpointFailedError(ModelError):
    """Several endpoints were tried for one request and each failed; ``errors`` are theirs, in the order they were tried."""

    code = "every_endpoint_failed"

    def __init__(self, message: str, *, errors: tuple[ModelError, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.errors = errors


class StructuredOutputError(ModelError):
    """A model did not keep to the JSON schema that it was asked to, not even when told what was wrong.

    ``path`` is the place in the answer (``$.items[0].name``; ``$`` is all of it), ``reason`` what is wrong there.
    """

    code = "structured_output"

    def __init__(self, message: str, *, path: str, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.reason = reason


class ToolCallError(ModelError):
    """A model called a tool in a way that nobody can execute; ``tool`` is the name it gave, empty without."""

    code = "tool_call"

    def __init__(self, tool: str, reason: str, *, hint: str = "") -> None:
        what = f"The model's call of the tool {tool!r}" if tool else "What the model wrote in the place of a tool call"
        super().__init__(f"{what} is of no use: {reason}.", hint=hint)
        self.tool = tool
        self.reason = reason


# -- embedded model ----------------------------------------------------------------------------------------------------


class EngineUnavailableError(ProviderUnreachableError):
    """The embedded model's process cannot be started: the extra is missing, or it died at once."""

    code = "engine_unavailable"


class OutOfMemoryError(EngineUnavailableError):
    """There is not enough free memory to load the model."""

    code = "out_of_memory"


class WeightsError(ModelError):
    """The model's file is missing, cannot be fetched, or does not have the hash it should have."""

    code = "weights"


class DiskFullError(WeightsError):
    """There is not enough free space to place the model's file."""

    code = "disk_full"


# -- context -----------------------------------------------------------------------------------------------------------


class WorkspaceIndexError(DragomanError):
    """The index of a workspace answered a question with an error."""

    code = "index"


class IndexUnavailableError(WorkspaceIndexError):
    """The index's process cannot be started, died before it answered, or did not answer in time."""

    code = "index_unavailable"


# -- storage -----------------------------------------------------------------------------------------------------------


class StorageError(DragomanError):
    """Something could not be kept or read; raised by ``storage``, whatever the database or disk beneath it."""

    code = "storage"


class DatabaseTooNewError(StorageError):
    """The database was written by a newer version of Dragoman; nothing in it was touched."""

    code = "database_too_new"

    def __init__(self, message: str, *, found: str, known: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.found = found
        self.known = known


class DatabaseLockedError(StorageError):
    """Another process writes to the database and did not end in time; trying again may help."""

    code = "database_locked"


class DatabaseUnreachableError(StorageError):
    """Nothing answers at the database's address, its file cannot be opened, or the connection broke."""

    code = "database_unreachable"


class DatabaseRefusedError(StorageError):
    """The database's server refused the user, the password or the database's name."""

    code = "database_refused"


class DatabaseDamagedError(StorageError):
    """The file is no database, or not a whole one."""

    code = "database_damaged"


class StorageFullError(StorageError):
    """The disk beneath the database or the files is full; what was being written is not there."""

    code = "storage_full"


class StorageReadOnlyError(StorageError):
    """The database or the folder cannot be written to."""

    code = "storage_read_only"


class NotStoredError(StorageError):
    """Nothing is kept under that name."""

    code = "not_stored"


class ImportRejectedError(StorageError):
    """A file of conversations has lines that cannot be taken; ``lines`` are their numbers, and nothing was imported."""

    code = "import_rejected"

    def __init__(self, message: str, *, lines: tuple[int, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lines = lines


class QuotaExceededError(StorageError):
    """A file does not fit into what files may take; it is not kept."""

    code = "quota_exceeded"


class ArtifactDamagedError(StorageError):
    """A kept file is not what was put there: its hash is another one, so none of it is handed out."""

    code = "artifact_damaged"


# -- tools of agents ---------------------------------------------------------------------------------------------------


class ToolError(DragomanError):
    """A tool could not do what a model asked for; message and hint are written for the model, which reads both."""

    code = "tool"


class UnknownToolError(ToolError):
    """There is no tool of that name; the hint has the nearest."""

    code = "tool_unknown"


class ToolArgumentsError(ToolError):
    """The arguments are not what the tool's schema says; each fault is told with its place."""

    code = "tool_arguments"


class ToolDeniedError(ToolError):
    """The policy or a person said no; asking again changes nothing. ``by`` says which of them."""

    code = "tool_denied"

    def __init__(self, message: str, *, by: Literal["policy", "user"], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.by = by


class PathOutsideError(ToolError):
    """A path leads out of the workspace, by its dots or by a link."""

    code = "path_outside"


class SecretFileError(ToolError):
    """A file holds keys, and what the tool returns would leave this machine."""

    code = "secret_file"


class FileUnfitError(ToolError):
    """A file is missing, there already, binary, too large or unreadable."""

    code = "file_unfit"


class FileChangedError(ToolError):
    """A file is no longer what the model has read; nothing was written."""

    code = "file_changed"


class EditMismatchError(ToolError):
    """What an edit searches for is missing, or stands in more than one place; ``lines`` are those places, from 1."""

    code = "edit_mismatch"

    def __init__(self, message: str, *, lines: tuple[int, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.lines = lines


class EditOverlapError(DragomanError):
    """An edit would begin where another one of the same document is still open."""

    code = "edit_overlap"


class PatternError(ToolError):
    """A search pattern is no regular expression, or one that does not end."""

    code = "pattern"


class CommandError(ToolError):
    """A command could not be started."""

    code = "command"


class FetchError(ToolError):
    """A page could not be fetched, or may not be."""

    code = "fetch"


class ToolServerError(ToolError):
    """A foreign tool server cannot be started, does not answer, or says nonsense; the message names it."""

    code = "tool_server"


# -- runs of agents ----------------------------------------------------------------------------------------------------


class RunError(DragomanError):
    """A run of an agent cannot go on; the message is for the person who started it."""

    code = "run"


class RunLimitError(RunError):
    """A run has spent what it may; ``limit`` says of what."""

    code = "run_limit"

    def __init__(self, message: str, *, limit: Literal["steps", "tokens", "seconds", "money"], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.limit = limit


class RunLoopError(RunError):
    """The model makes the same call again and again and learns nothing from it."""

    code = "run_loop"


class ReviewError(DragomanError):
    """A review cannot be made."""

    code = "review"


class AgentError(DragomanError):
    """An agent cannot be used."""

    code = "agent"


class UnknownAgentError(AgentError):
    """There is no agent of that name, or its file is faulty; the hint has the nearest, or what is wrong."""

    code = "agent_unknown"


class AgentStoppedError(AgentError):
    """The agent was stopped and takes no tasks until it is started again."""

    code = "agent_stopped"
