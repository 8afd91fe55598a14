"""Makes runs: a model through the manager, tools through their port, step by step within limits, told as it goes."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from dragoman.agents.compaction import Compaction
from dragoman.agents.events import EventType, RunEvent
from dragoman.agents.process_marks import this_process
from dragoman.agents.prompts import read_prompt
from dragoman.agents.run import Run, RunLimits, RunState, RunStore
from dragoman.agents.runtime_limits import (
    ANSWER_TOKENS,
    ARGUMENT_REPAIRS,
    CONTEXT_TOKENS,
    REMINDERS,
    REPEATED_CALLS,
    SILENCES,
)
from dragoman.agents.tools.approval import Approver, Decision, Question
from dragoman.agents.tools.base import ToolContext, ToolResult
from dragoman.cancellation import TaskSet
from dragoman.context.tokens import rough
from dragoman.errors import (
    ContextOverflowError,
    DragomanError,
    RequestRejectedError,
    RunError,
    RunLimitError,
    RunLoopError,
    ToolArgumentsError,
    ToolDeniedError,
    ToolError,
)
from dragoman.models.base import Capability, ChatMessage, ChatRequest, Image, Model, Role, Tool, ToolCall, Usage
from dragoman.models.json_text import load_json
from dragoman.models.requirements import Requirements

logger = logging.getLogger(__name__)


class Models(Protocol):
    """What a run needs of the model manager."""

    async def for_role(self, role: Role, needs: Requirements = ...) -> Model:
        """Return the model that fills a role; raises ModelError."""
        ...


class Toolset(Protocol):
    """What a run needs of the tools."""

    def definitions(self) -> tuple[Tool, ...]:
        """Return what the model is told of them."""
        ...

    async def call(self, name: str, arguments: str, context: ToolContext, *, call_id: str = "") -> ToolResult:
        """Make a call; raises ToolError."""
        ...


class Reader(Protocol):
    """Turns an answer's text into events of the run while it streams: edits, findings."""

    def feed(self, text: str) -> Iterable[tuple[EventType, Mapping[str, Any]]]:
        """Take the next piece of text; returns the type and the data of each event that it completes."""
        ...

    def finish(self) -> Iterable[tuple[EventType, Mapping[str, Any]]]:
        """Take the end of the answer to a task, the run's own and each of its parts; not called for one that is not reached."""
        ...


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is to be done and by whom.

    ``history`` are messages before the task, ``model`` is an exact name.
    ``schema`` is the JSON schema of the answer, which holds a model to it where it can be held and the run has no tools.
    ``local_only`` keeps every answer on this machine, whichever providers come and go meanwhile.
    ``private`` says that the task or what was said before holds something that never leaves this machine.
    ``answers_at_last`` has a model that goes round in circles asked once more, without tools, before the run fails.
    ``expected`` are tools without one of which the task is hardly done: a model that answers before it called any is asked
    whether it is done, some times.
    ``parts`` are further tasks of the same kind, each asked by itself when the one before it is answered.
    ``answer_tokens`` are kept for each answer, less in a small window.
    ``operation`` labels the run's events for metrics.
    """

    agent: str
    task: str
    system: str
    role: Role = "chat"
    model: str | None = None
    limits: RunLimits = field(default_factory=RunLimits)
    history: tuple[ChatMessage, ...] = ()
    images: tuple[Image, ...] = ()
    reader: Reader | None = None
    schema: Mapping[str, Any] | None = None
    local_only: bool = False
    private: bool = False
    answers_at_last: bool = False
    expected: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()
    answer_tokens: int = ANSWER_TOKENS
    operation: str = "run"


class AgentRuntime:
    """Starts runs and ends them all when it is closed. For one event loop."""

    def __init__(
        self,
        models: Models,
        *,
        publish: Callable[[RunEvent], None] = lambda _event: None,
        store: RunStore | None = None,
        context_tokens: int = CONTEXT_TOKENS,
    ) -> None:
        self._models = models
        self._publish = publish
        self._store = store
        self._context_tokens = context_tokens
        self._tasks = TaskSet()

    def start(self, request: RunRequest, tools: Toolset, context: ToolContext) -> Run:
        """Start a run; it goes on whether or not anybody reads its events."""
        messages = (*request.history, ChatMessage("user", request.task, images=request.images))
        return self._begin(
            RunState(
                f"run_{secrets.token_hex(8)}",
                request.agent,
                request.task,
                messages,
                model=request.model,
                local_only=request.local_only,
                private=request.private,
                process=this_process(),
            ),
            request,
            tools,
            context,
        )

    def resume(self, state: RunState, request: RunRequest, tools: Toolset, context: ToolContext) -> Run:
        """Go on with a run from its last whole step; its events are numbered on from there."""
        return self._begin(replace(state, status="running", process=this_process()), request, tools, context)

    def _begin(self, state: RunState, request: RunRequest, tools: Toolset, context: ToolContext) -> Run:
        run = Run(state, self._publish, operation=request.operation)
        turn = _Turns(run, request, tools, context, self._models, self._store, Compaction(self._context_tokens))
        run.own(self._tasks.start(turn.work(), name=f"agent run {run.id}"))
        return run

    async def aclose(self) -> None:
        """Cancel every run and return when all have ended."""
        await self._tasks.aclose()


class _Announcing:
    """Tells of a question before it is asked, and stops the run's time while a person thinks."""

    def __init__(self, run: Run, inner: Approver, deadline: asyncio.Timeout) -> None:
        self._run, self._inner, self._deadline = run, inner, deadline

    async def ask(self, question: Question) -> Decision:
        """Ask through the door."""
        loop, until = asyncio.get_running_loop(), self._deadline.when()
        left = None if until is None else until - loop.time()
        self._deadline.reschedule(None)
        self._run.state = replace(self._run.state, status="waiting")
        try:
            self._run.emit(
                "approval_required",
                callId=question.call_id,
                tool=question.tool,
                arguments=dict(question.arguments),
                summary=question.summary,
            )
            return await self._inner.ask(question)
        finally:
            self._run.state = replace(self._run.state, status="running")
            self._deadline.reschedule(None if left is None else loop.time() + left)


class _Turns:
    """The turns of one run."""

    def __init__(
        self,
        run: Run,
        request: RunRequest,
        tools: Toolset,
        context: ToolContext,
        models: Models,
        store: RunStore | None,
        compaction: Compaction,
    ) -> None:
        self._run, self._request, self._tools = run, request, tools
        self._context, self._models, self._store = context, models, store
        self._compaction = compaction
        self._made: Counter[tuple[str, str, str]] = Counter()
        self._faults: Counter[str] = Counter()
        self._silences = 0
        self._expected = request.expected
        """What was not called yet; empty when one of it was."""
        self._reminders = 0
        self._must_answer = False
        self._definitions: tuple[Tool, ...] | None = None

    async def work(self) -> None:
        """Make the run and tell its end, whatever happens."""
        run = self._run
        try:
            run.emit("started", agent=run.agent, task=run.state.task)
            run.output = await self._converse()
            run.end("finished", output=run.output)
        except asyncio.CancelledError:
            run.end("cancelled")
            await self._keep()
            raise
        except DragomanError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("Run %s ended with a fault of ours: %s", run.id, type(error).__name__)
            self._fail(RunError("The run failed by a fault of Dragoman.", hint="The log has the details."))
        await self._keep()

    def _tell(self, found: Iterable[tuple[EventType, Mapping[str, Any]]]) -> None:
        for kind, data in found:
            self._run.emit(kind, **data)

    def _fail(self, error: DragomanError) -> None:
        self._run.error = str(error)
        self._run.end("failed", error=str(error), code=error.code)

    async def _converse(self) -> str:
        limits = self._request.limits
        try:
            async with asyncio.timeout(limits.seconds) as deadline:
                approver = _Announcing(self._run, self._context.approver, deadline)
                self._context = replace(self._context, run_id=self._run.id, agent=self._run.agent, approver=approver)
                first = await self._take_turns(self._run.state.messages)
                more = [await self._take_turns((ChatMessage("user", task),)) for task in self._request.parts]
                return "\n\n".join([first, *more])
        except TimeoutError:
            if not deadline.expired():
                raise
            raise RunLimitError(f"The run took longer than {limits.seconds:g} seconds.", limit="seconds") from None

    async def _take_turns(self, messages: tuple[ChatMessage, ...]) -> str:
        """Let model and tools take turns until the model answers without a call; returns that answer."""
        while True:
            answer = await self._ask(messages)
            if not answer.tool_calls:
                if answer.content.strip() and self._gives_up():
                    messages = (*messages, answer, ChatMessage("user", read_prompt("giving_up")))
                    continue
                if answer.content.strip():
                    if self._request.reader is not None:
                        self._tell(self._request.reader.finish())
                    return answer.content
                # Servers refuse an empty message of the assistant, so it is told of and not shown.
                self._watch_for_silence()
                messages = (*messages, ChatMessage("user", read_prompt("silence")))
                continue
            # One after another: an edit must see what the one before it did.
            results = [ChatMessage("tool", await self._call(one), tool_call_id=one.id) for one in answer.tool_calls]
            messages = (*messages, answer, *results)

    async def _ask(self, messages: tuple[ChatMessage, ...]) -> ChatMessage:
        run, request = self._run, self._request
        run.state = replace(run.state, messages=messages)
        await self._keep()
        self._check_limits()
        if self._definitions is None:
            # Once a run: schemas take time to make, and a server keeps a prompt whose beginning stays the same.
            self._definitions = self._tools.definitions()
        tools = () if self._must_answer else self._definitions
        model = await self._models.for_role(request.role, needs_of(request, has_tools=bool(tools)))
        fitted, room = await self._compaction.fit(
            _without_calls(messages) if self._must_answer else messages,
            model=model,
            system=request.system,
            tools=tools,
            answer_tokens=_room(model, request.answer_tokens),
        )
        question = ChatRequest(fitted, max_tokens=room, tools=tools)
        answer, usage = await self._answer(model, question)
        if usage is None:
            usage = Usage(sum(rough(one.content) for one in fitted), rough(answer.content))
        run.state = replace(run.state, spent=run.state.spent.with_step(usage, model.info))
        return answer

    async def _answer(self, model: Model, question: ChatRequest) -> tuple[ChatMessage, Usage | None]:
        """Return the answer, held to the schema where there is one and the model can be."""
        schema = self._request.schema
        if schema is not None and not question.tools and "json_schema" in model.info.capabilities:
            try:
                return await self._stream(model, replace(question, json_schema=schema))
            except ContextOverflowError:
                raise
            except RequestRejectedError:
                # It was taken to have schemas and has none, or not this one; the task says the form too.
                logger.info("the model %r takes no schema", model.info.name)
        return await self._stream(model, question)

    async def _stream(self, model: Model, request: ChatRequest) -> tuple[ChatMessage, Usage | None]:
        text: list[str] = []
        calls: dict[int, ToolCall] = {}
        usage: Usage | None = None
        async with aclosing(model.chat(request)) as chunks:
            async for chunk in chunks:
                usage = chunk.usage or usage
                if chunk.text:
                    text.append(chunk.text)
                    self._run.emit("text", text=chunk.text)
                    if self._request.reader is not None:
                        self._tell(self._request.reader.feed(chunk.text))
                for delta in chunk.tool_calls:
                    call = calls.get(delta.index, ToolCall("", "", ""))
                    arguments = call.arguments + delta.arguments
                    calls[delta.index] = ToolCall(call.id or delta.id, call.name or delta.name, arguments)
        whole = tuple(replace(call, id=call.id or f"call_{secrets.token_hex(4)}") for call in calls.values())
        return ChatMessage("assistant", "".join(text), tool_calls=whole), usage

    def _check_limits(self) -> None:
        spent, limits = self._run.state.spent, self._request.limits
        if spent.steps >= limits.steps:
            raise RunLimitError(f"The run has made its {limits.steps} steps.", limit="steps")
        if spent.tokens >= limits.tokens:
            raise RunLimitError(f"The run has used {spent.tokens:,} of {limits.tokens:,} tokens.", limit="tokens")
        if limits.money is not None and spent.money >= limits.money:
            raise RunLimitError(f"The run has cost {spent.money:.4f} of {limits.money:g}.", limit="money")

    async def _call(self, call: ToolCall) -> str:
        self._run.emit("tool_call", callId=call.id, tool=call.name, arguments=_readable(call.arguments))
        details: dict[str, Any] = {}
        try:
            result = await self._tools.call(call.name, call.arguments, self._context, call_id=call.id)
        except ToolError as error:
            text, failed = str(error), True
            if isinstance(error, ToolDeniedError):
                details = {"denied": error.by}
            if isinstance(error, ToolArgumentsError):
                self._faults[call.name] += 1
        else:
            text, failed, details = result.text, False, dict(result.details)
            self._faults.pop(call.name, None)
            if call.name in self._expected:
                self._expected = frozenset()
        self._run.state = replace(self._run.state, private=self._run.state.private or self._context.private)
        self._run.emit("tool_result", callId=call.id, tool=call.name, result=text, failed=failed, details=details)
        if self._faults[call.name] > ARGUMENT_REPAIRS:
            raise RunError(f"The model called {call.name!r} with wrong arguments again after it was told: {text}")
        return text + self._watch_for_loop(call, text)

    def _gives_up(self) -> bool:
        """Tell whether the model answers without having tried what the task wants; at most `REMINDERS` times."""
        self._reminders += bool(self._expected)
        return bool(self._expected) and self._reminders <= REMINDERS and not self._must_answer

    def _watch_for_silence(self) -> None:
        """Note an empty answer; raises RunError when the model has been told of one before."""
        self._silences += 1
        if self._silences > SILENCES:
            raise RunError(
                "The model answered with nothing, again after it was told.",
                hint="Say the task in other words, or take another model.",
            )

    def _watch_for_loop(self, call: ToolCall, text: str) -> str:
        """Return what the model is told of a call that it made before; raises RunLoopError when it does not listen."""
        key = (call.name, call.arguments, text)
        if key not in self._made:
            # Something new was tried or found out: what was seen before may well be asked for again.
            self._made = Counter(dict.fromkeys(self._made, 1))
        self._made[key] += 1
        if self._made[key] >= REPEATED_CALLS:
            if self._request.answers_at_last and not self._must_answer:
                # A small model that is held to calls by a schema often finds no way out; without tools it answers.
                self._must_answer = True
                return ""
            raise RunLoopError(
                f"The model made the same call of {call.name!r} {REPEATED_CALLS} times and got the same result.",
                hint="Say the task in other words, or take a larger model.",
            )
        return "\n[You made this call before, with this result. Use it now.]" if self._made[key] > 1 else ""

    async def _keep(self) -> None:
        if self._store is None:
            return
        keys = tuple(sorted(map(str, self._context.keys_read)))
        try:
            await self._store.save(replace(self._run.state, keys_read=keys))
        except DragomanError as error:
            # The run is worth more than the possibility of going on with it after a restart.
            logger.warning("The state of run %s was not kept: %s", self._run.id, error)


def needs_of(request: RunRequest, *, has_tools: bool) -> Requirements:
    """Return what a run needs of its model."""
    needed: set[Capability] = {"chat"}
    if has_tools:
        needed.add("tools")
    if request.images:
        needed.add("vision")
    return Requirements(frozenset(needed), local_only=request.local_only, name=request.model)


def _without_calls(messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
    """Return a conversation without its calls, what they found behind the task: who sees calls goes on calling."""
    found = dict.fromkeys(one.content.partition("\n[You made")[0] for one in messages if one.role == "tool")
    said = [one for one in messages if one.role != "tool" and not one.tool_calls]
    results = "\n\n".join(found)
    task = f"{said[-1].content}\n\nThis was looked up for you:\n\n{results}\n\nAnswer now, in words."
    return (*said[:-1], replace(said[-1], content=task))


def _room(model: Model, wanted: int) -> int:
    """Return the tokens kept for an answer: what is wanted, but never more than a third of a small window."""
    window = model.info.context_window
    return wanted if window is None else min(wanted, window // 3)


def _readable(arguments: str) -> Any:
    try:
        # What is read here goes on to editors and into the database: neither has a number that is none.
        return load_json(arguments)
    except ValueError:
        return arguments
