"""What a tool is: a name, a schema, a permission class, and a call that answers with text for the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from dragoman.agents.limits import RESULT_CHARS
from dragoman.agents.tools.approval import Approver, Refusal
from dragoman.agents.tools.documents import Editor
from dragoman.agents.tools.places import find_place, is_ignored
from dragoman.agents.tools.policy import Permission, Policy, Request
from dragoman.agents.tools.remembered import Memory
from dragoman.errors import SecretFileError, ToolError
from dragoman.models.base import Tool as Definition
from dragoman.security.paths import is_secret_path


class Arguments(BaseModel):
    """The one object that a call carries; what the schema does not name is a fault, so that a model hears of its typing errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _said(value: Any) -> Any:
    return value or None


MaybeText = Annotated[str | None, BeforeValidator(_said)]
"""A text that may be left out; a model that is held to a schema often gives an empty one instead."""

A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True, slots=True)
class ToolResult:
    """``text`` is for the model; ``details`` are JSON-able values for who watches the run."""

    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of what a call prints while it runs."""

    call_id: str
    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a call is about, as far as a policy asks: paths from the workspace's root, a command, a sentence for a person.

    ``within`` are paths below these that the call changes too.
    """

    summary: str
    paths: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    within: tuple[str, ...] = ()


@dataclass(slots=True)
class ToolContext:
    """What the calls of one run share.

    ``roots`` are the workspace's folders, the first one is where relative paths begin.
    ``remote`` says that the model is on another machine: files of keys are then never read.
    ``seen`` has, for each file, the version that the model has read last.
    ``keys_read`` are the files of keys of which it has read anything; whoever shows it one beforehand adds it here.
    ``private`` says that it has read something that never leaves this machine: of those, or of what the project ignores.
    Cancelling the task that makes a call ends whatever the call has begun.
    """

    roots: tuple[Path, ...]
    editor: Editor
    policy: Policy
    run_id: str = ""
    agent: str = ""
    approver: Approver = field(default_factory=Refusal)
    memory: Memory = field(default_factory=Memory)
    remote: bool = True
    emit: Callable[[Output], None] = lambda _output: None
    result_chars: int = RESULT_CHARS
    seen: dict[Path, str] = field(default_factory=dict)
    keys_read: set[Path] = field(default_factory=set)
    private: bool = False

    @property
    def root(self) -> Path:
        """Return the folder where relative paths begin."""
        return self.roots[0]

    def note_shown(self, *paths: Path) -> None:
        """Note that the model reads of files; looks at the disk."""
        self.keys_read.update(path for path in paths if is_secret_path(path))
        if not self.remote:
            # To a model elsewhere no such file is shown at all; one that it writes it knows.
            self.private = self.private or bool(self.keys_read) or any(map(self._is_ignored, paths))

    def _is_ignored(self, path: Path) -> bool:
        try:
            return is_ignored(find_place(self.roots, str(path)))
        except ToolError:
            return False


def refuse_after_keys(context: ToolContext, where: str) -> None:
    """Raise SecretFileError when the run has read a file of keys: what goes to others may hold them, in a form nobody finds."""
    if context.keys_read:
        read = min(context.keys_read)
        raise SecretFileError(
            f"This run has read {read.name!r}, which is expected to hold keys, so nothing goes to {where}.",
            hint="Go on without it, or tell the user to ask again in a run that does not read that file.",
        )


class Tool(ABC, Generic[A]):
    """One tool; it holds no state of a run."""

    name: ClassVar[str]
    description: ClassVar[str]
    permission: ClassVar[Permission]
    arguments: type[A]

    def definition(self) -> Definition:
        """Return what a model is told of it."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        schema.pop("description", None)
        for one in schema.get("properties", {}).values():
            one.pop("title", None)
        return Definition(self.name, self.description, schema)

    @abstractmethod
    def subjects(self, arguments: A, context: ToolContext) -> Subjects:
        """Say what the call is about; raises ToolError for what is refused whatever the policy says.  Looks at the disk."""

    @abstractmethod
    async def call(self, arguments: A, context: ToolContext, call_id: str) -> ToolResult:
        """Make the call; raises ToolError with a message for the model."""

    def request(self, subjects: Subjects, context: ToolContext) -> Request:
        """Return the call as a policy sees it."""
        return Request(
            context.agent, self.name, self.permission, subjects.paths, subjects.command, within=subjects.within
        )

    def sight(self, arguments: A, context: ToolContext) -> Sight:
        """Return what a call that may be made may show; looks at the disk."""
        request = self.request(self.subjects(arguments, context), context)
        return Sight(context.policy.sight(request, context.memory.rules()))


class Sight:
    """What one call may show of the files that it comes upon; it counts those that it may not."""

    def __init__(self, shows: Callable[[str], bool]) -> None:
        self._shows = shows
        self._hidden: set[str] = set()

    def shows(self, path: str) -> bool:
        """Tell whether a file may be shown, by its path from the workspace's root."""
        if self._shows(path):
            return True
        self._hidden.add(path)
        return False

    @property
    def note(self) -> str:
        """A line that says how many files were left out, empty for none."""
        count = len(self._hidden)
        files = "1 file is" if count == 1 else f"{count:,} files are"
        return f"[{files} left out, which the user's rules do not open to this]" if count else ""

    def noted(self, text: str) -> str:
        """Return a result with the line, where there is one."""
        return "\n".join(part for part in (text, self.note) if part)


def bounded(text: str, limit: int, hint: str = "") -> str:
    """Return the text within so many characters, its beginning and its end kept, with a line that says what is missing."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    note = f"\n[… {len(text) - head - tail:,} characters left out{f'; {hint}' if hint else ''} …]\n"
    return text[:head] + note + text[len(text) - tail :]
