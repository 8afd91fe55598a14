"""The ghost-text engine: one question at one cursor, answered from what is known, what is streaming, or the model.

The life of a keystroke, in order: guards; an answer the user is typing through (finished or still streaming); a wait for
the next key (`debounce`); the model; stop rules while it streams (`stopping`); filters (`postprocess`); the reply.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from dragoman.cancellation import TaskSet
from dragoman.clock import Clock, monotonic
from dragoman.completion import guards
from dragoman.completion.cache import GenerationIndex
from dragoman.completion.debounce import Debouncer
from dragoman.completion.generation import Generation
from dragoman.completion.identifiers import complete_identifier
from dragoman.completion.policy import CompletionPolicy, Target, Targets
from dragoman.completion.postprocess import polish
from dragoman.completion.postprocess.place import Place
from dragoman.completion.prompt import build_request, window_for
from dragoman.completion.query import CompletionQuery, Outcome, Reason, Suggestion, TextView
from dragoman.completion.shape import Shape, shape_at
from dragoman.completion.stopping import StopRules
from dragoman.completion.surroundings import Surroundings, surroundings
from dragoman.errors import ModelError, NoModelError, RateLimitedError
from dragoman.models.profiles import special_tokens

logger = logging.getLogger(__name__)


class CompletionEngine:
    """Answers queries for one editor or one command line; owns every generation it starts."""

    def __init__(self, targets: Targets, policy: CompletionPolicy, clock: Clock = monotonic) -> None:
        self._targets = targets
        self._clock = clock
        self._tasks = TaskSet()
        self._index = GenerationIndex(clock)
        self._live: list[Generation] = []
        self._newest: dict[str, int] = {}
        self._asked = 0
        self._paused: dict[str, tuple[float, ModelError]] = {}
        self._policy = policy
        self._debouncer = Debouncer(policy.debounce, clock)
        self._complained = ""
        self.counts: Counter[str] = Counter()
        """How often it was ``asked``, what the answers came from, and how many ``generations`` that took."""
        self.first_text_s = 0.0
        """Seconds until the newest generation's first text."""
        self.last: Outcome = Outcome()
        """What the newest query came to, for the status bar and ``dragoman doctor``."""
        self.on_outcome: Callable[[Outcome], None] = lambda _outcome: None

    # -- the question --------------------------------------------------------------------------------------------------

    async def suggest(self, query: CompletionQuery) -> Outcome:
        """Return what to show at the query's cursor.

        Never raises for a model's fault: the outcome's ``reason`` says what it was.
        Cancelling the call gives up the reply; a generation that still fits lingers for the next key.
        """
        self.counts["asked"] += 1
        outcome = await self._suggest(query)
        self.counts[outcome.source if outcome.suggestions else outcome.reason] += 1
        if outcome.reason != "superseded":
            self.last = outcome
            self.on_outcome(outcome)
        return outcome

    async def _suggest(self, query: CompletionQuery) -> Outcome:
        self._asked += 1
        ticket = self._newest[query.uri] = self._asked
        if (refusal := guards.refuse(query, self._policy)) is not None:
            return refusal
        shape = shape_at(query, self._policy.multiline)
        place = surroundings(query)
        delay = self._debouncer.delay()
        if (known := self._index.find(place)) is not None:
            outcome = await self._answer(known[0], known[1], query, shape)
            if outcome is not None:
                return outcome
        if query.trigger == "automatic" and delay > 0:
            await asyncio.sleep(delay)
        if self._newest.get(query.uri) != ticket:
            return Outcome(reason="superseded")
        return await self._ask(query, shape, place)

    async def _ask(self, query: CompletionQuery, shape: Shape, place: Surroundings) -> Outcome:
        try:
            target = await self._targets.completion_target()
            self._refuse_paused(target)
        except NoModelError as error:
            return self._from_identifiers(query, "no_model", error)
        except ModelError as error:
            return self._from_identifiers(query, "model_error", error)
        if (refusal := guards.refuse_for_target(query, remote=not target.is_local)) is not None:
            return refusal
        await self._make_room(query.uri, target)
        if self._tasks.closed:
            # The settings changed meanwhile, and another engine answers the next key.
            return Outcome(reason="superseded")
        generation = self._start(query, shape, place, target)
        outcome = await self._answer(generation, "", query, shape)
        return outcome if outcome is not None else self._failed(generation, query)

    def _start(self, query: CompletionQuery, shape: Shape, place: Surroundings, target: Target) -> Generation:
        info = target.info
        request = build_request(
            info,
            window_for(query, small=target.small),
            max_tokens=self._policy.max_tokens if shape.multiline else min(self._policy.max_tokens, 64),
            multiline=shape.multiline,
        )
        rules = StopRules(query, shape, frozenset(special_tokens(info.fim_family)) if info.fim_family else frozenset())
        generation = Generation(query, place, rules, provider=target.provider, model=info.name, clock=self._clock)
        self._live.append(generation)
        self.counts["generations"] += 1
        self._index.add(place, generation)
        generation.start(target.model.complete(request), self._tasks)
        return generation

    async def _make_room(self, uri: str, target: Target) -> None:
        """Close what no longer serves: streams of this document that do not fit, and the oldest beyond the limit."""
        self._live = [generation for generation in self._live if not generation.done]
        # Whoever gets here found nothing that fits at this cursor, so what streams for this document is for another place.
        unwanted = [generation for generation in self._live if generation.uri == uri]
        others = [g for g in self._live if g.uri != uri and g.provider == target.provider]
        limit = min(target.max_concurrency, 2)
        unwanted += others[: max(0, len(others) + 1 - limit)]
        await self._close(unwanted)

    async def _close(self, generations: Sequence[Generation]) -> None:
        for generation in generations:
            if generation in self._live:
                self._live.remove(generation)
            self._index.discard(generation)
        if generations:
            await asyncio.gather(*(generation.close() for generation in generations))

    # -- the answer ----------------------------------------------------------------------------------------------------

    async def _answer(self, generation: Generation, typed: str, query: CompletionQuery, shape: Shape) -> Outcome | None:
        """Wait until ``generation`` has enough to show behind ``typed``; None when it has nothing for this cursor."""
        streaming = not generation.done

        def has_line() -> bool:
            return not generation.continues(typed) or "\n" in generation.text[len(typed) :].lstrip("\n")

        if streaming:
            show_at = generation.started + self._policy.show_after
            await generation.wait(lambda: not generation.continues(typed), timeout_at=show_at)
            await generation.wait(has_line)
            if generation.first_text is not None:
                self._debouncer.answered(generation.first_text)
                self.first_text_s = generation.first_text
        if generation.failed or not generation.text.startswith(typed):
            return None
        text = generation.text[len(typed) :]
        if not generation.done and "\n" in text.lstrip("\n"):
            text = text[: text.rindex("\n")]
        generation.answered = True
        if not text and typed:
            # Typed to its end: the next question is a new one.
            return None
        polished, emptied_by = polish(text, _place(query, shape, generation, typed))
        if not polished:
            reason: Reason = "filtered" if text.strip() else "empty_answer"
            detail = f"filtered: {emptied_by}" if text.strip() else "the model had nothing to add"
            return Outcome(reason=reason, detail=detail, source="model", model=generation.model)
        self._complained = ""
        suggestion = Suggestion(f"{generation.number}:{len(typed)}", polished, query.character, query.character)
        return Outcome((suggestion,), source="stream" if streaming else "cache", model=generation.model)

    def _failed(self, generation: Generation, query: CompletionQuery) -> Outcome:
        self._index.discard(generation)
        error = generation.error
        if error is None or (not generation.answered and error.code == "model"):
            return Outcome(reason="superseded")
        if isinstance(error, RateLimitedError):
            self._paused[generation.provider] = (self._clock() + min(error.retry_after or 5.0, 120.0), error)
        self._targets.report_failure(generation.provider, error)
        self._complain(str(error), error.code, generation.provider)
        return self._from_identifiers(query, "model_error", error)

    def _complain(self, problem: str, code: str, provider: str) -> None:
        """Log a failure, loudly only when it is a new one: a server that is down fails at every key."""
        level = logging.DEBUG if problem == self._complained else logging.WARNING
        self._complained = problem
        logger.log(level, "completion failed: %s", problem, extra={"code": code, "provider": provider})

    def _refuse_paused(self, target: Target) -> None:
        paused = self._paused.get(target.provider)
        if paused is not None:
            if self._clock() < paused[0]:
                raise paused[1]
            del self._paused[target.provider]

    def _from_identifiers(self, query: CompletionQuery, reason: Reason, error: ModelError) -> Outcome:
        rest = complete_identifier(query)
        suggestions = (Suggestion(f"word:{self._asked}", rest, query.character, query.character),) if rest else ()
        return Outcome(suggestions, reason, str(error), "identifiers" if rest else "none")

    # -- what the editor tells -----------------------------------------------------------------------------------------

    def document_changed(self, uri: str, text: TextView, version: int, *, first_line: int, last_line: int) -> None:  # noqa: ARG002
        """Close at once every stream of this document that the new text no longer fits."""
        misfits = [g for g in self._live if g.uri == uri and not g.done and not g.fits(text)]
        if misfits and not self._tasks.closed:
            self._tasks.start(self._close(misfits), name="close-misfits")

    def document_closed(self, uri: str) -> None:
        """Close every stream of this document."""
        self._newest.pop(uri, None)
        gone = [g for g in self._live if g.uri == uri]
        if gone and not self._tasks.closed:
            self._tasks.start(self._close(gone), name="close-document")

    def accepted(self, suggestion_id: str, kind: str) -> None:
        """Learn that the user took a suggestion."""
        logger.info("accepted %s (%s)", suggestion_id, kind)

    def cancel(self) -> int:
        """Close every stream at once and return how many there were."""
        live = [generation for generation in self._live if not generation.done]
        if live and not self._tasks.closed:
            self._tasks.start(self._close(live), name="close-all")
        return len(live)

    def configure(self, policy: CompletionPolicy) -> None:
        """Follow changed settings from the next question on."""
        if policy.debounce != self._policy.debounce:
            self._debouncer = Debouncer(policy.debounce, self._clock)
        self._policy = policy

    async def aclose(self) -> None:
        """End every generation and wait until their connections are closed."""
        with contextlib.suppress(asyncio.CancelledError):
            await self._close(list(self._live))
        await self._tasks.aclose()


def _place(query: CompletionQuery, shape: Shape, generation: Generation, typed: str) -> Place:
    following = tuple(
        query.text.line(index).rstrip("\r\n")
        for index in range(query.line + 1, min(query.line + 8, query.text.line_count))
    )
    selected = ""
    if query.selected is not None:
        already = shape.head[query.selected.start_character :]
        # An item that does not begin with what was typed was matched loosely; nothing can go on from it.
        selected = (
            query.selected.text.removeprefix(already)
            if query.selected.text.startswith(already)
            else query.selected.text
        )
    return Place(
        head=shape.head,
        rest=shape.rest,
        following=following,
        special=generation.special,
        language=query.language,
        selected=selected,
        at_start=not typed,
    )
