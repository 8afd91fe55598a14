"""The ghost-text engine: one question at one cursor, answered from what is known, what is streaming, or the model.

The life of a keystroke, in order: guards; an answer the user is typing through (finished or still streaming); a wait for
the next key (`debounce`); the model; stop rules while it streams (`stopping`); filters (`postprocess`); the reply.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from dragoman.cancellation import TaskSet
from dragoman.clock import Clock, monotonic
from dragoman.completion import guards
from dragoman.completion.acceptance import AcceptanceTracker
from dragoman.completion.answer import has_line, has_more_lines, show
from dragoman.completion.cache import GenerationIndex, typed_since
from dragoman.completion.debounce import Debouncer
from dragoman.completion.generation import Generation
from dragoman.completion.identifiers import complete_identifier
from dragoman.completion.inflight import Inflight
from dragoman.completion.overlay import behind_selected
from dragoman.completion.policy import CompletionPolicy, ContextSource, NoContext, Target, Targets
from dragoman.completion.prefetch import look_ahead
from dragoman.completion.prompt import Window, build_request, reach, window_for
from dragoman.completion.provenance import Sent, SentRequests
from dragoman.completion.query import CompletionQuery, Outcome, Reason, SelectedItem, Suggestion, TextView
from dragoman.completion.scoring import is_worth_showing, measure
from dragoman.completion.shape import Shape, shape_at
from dragoman.completion.stopping import StopRules
from dragoman.completion.surroundings import Surroundings, surroundings
from dragoman.context.snippets import Context
from dragoman.errors import ModelError, NoModelError, RateLimitedError
from dragoman.limits import CONVINCING_CHARS, LINE_TOKENS, RETRY_TEMPERATURE
from dragoman.models.base import CompletionRequest
from dragoman.models.profiles import special_tokens
from dragoman.syntax.grammars import grammar

logger = logging.getLogger(__name__)


class CompletionEngine:
    """Answers queries for one editor or one command line; owns every generation it starts."""

    def __init__(
        self,
        targets: Targets,
        policy: CompletionPolicy,
        clock: Clock = monotonic,
        acceptance: AcceptanceTracker | None = None,
        context: ContextSource | None = None,
    ) -> None:
        self._targets = targets
        self.context: ContextSource = context or NoContext()
        """Knows what else in the workspace the model should read."""
        self._context_tokens: int | None = None
        """What the last model had room for; the context is asked for before the next one is known."""
        self._acceptance = acceptance or AcceptanceTracker(lambda _event: None, clock)
        self._clock = clock
        self._tasks = TaskSet()
        self._inflight = Inflight(GenerationIndex(clock))
        self._newest: dict[str, int] = {}
        self._on_screen: dict[str, Generation] = {}
        self._asked = 0
        self._paused: dict[str, tuple[float, ModelError]] = {}
        self._policy = policy
        self._debouncer = Debouncer(policy.debounce, clock)
        self._sent = SentRequests()
        self._complained = ""
        self.counts: Counter[str] = Counter()
        """How often it was ``asked``, what the answers came from, and how many ``generations`` that took."""
        self.first_text_s = 0.0
        """Seconds until the newest generation's first text."""
        self.last: Outcome = Outcome()
        """What the newest query came to, for the status bar and ``dragoman doctor``."""
        self.on_outcome: Callable[[Outcome], None] = lambda _outcome: None
        self.is_ignored: Callable[[str], bool] = lambda _uri: False
        """Tells whether the project keeps a file, by its URI, out of what goes to another machine."""
        self.next_edit: Callable[[CompletionQuery], Suggestion | None] = lambda _query: None
        """Says what is due at the cursor after the user's last edits, where that is known without a model."""

    # -- the question --------------------------------------------------------------------------------------------------

    async def suggest(self, query: CompletionQuery) -> Outcome:
        """Return what to show at the query's cursor.

        Never raises for a model's fault: the outcome's ``reason`` says what it was.
        Cancelling the call gives up the reply; a generation that still fits lingers for the next key.
        """
        self.counts["asked"] += 1
        if (refusal := guards.refuse(query, self._policy)) is not None:
            outcome = refusal
        elif query.selected is not None:
            outcome = await self._behind_selected(query, query.selected)
        else:
            outcome = await self._suggest(query)
        self.counts[outcome.source if outcome.suggestions else outcome.reason] += 1
        if outcome.reason != "superseded":
            self.last = outcome
            self.on_outcome(outcome)
        return outcome

    async def _behind_selected(self, query: CompletionQuery, selected: SelectedItem) -> Outcome:
        """Suggest what goes on from the popup's selected item, with the item as its beginning: clients ask for just that."""
        behind = behind_selected(query, selected)
        if behind is None:
            return Outcome(reason="filtered", detail="filtered: selected item")
        outcome = await self._suggest(behind)
        suggestions = tuple(
            replace(
                suggestion,
                text=selected.text + suggestion.text,
                start_character=selected.start_character,
                end_character=selected.end_character + suggestion.end_character - suggestion.start_character,
            )
            for suggestion in outcome.suggestions
        )
        return replace(outcome, suggestions=suggestions)

    async def _suggest(self, query: CompletionQuery) -> Outcome:
        self._asked += 1
        ticket = self._newest[query.uri] = self._asked
        place = surroundings(query)
        again = False
        known = self._known(place, query)
        contradicted = self._on_screen.pop(query.uri, None) is not None and known is None
        self._debouncer.key()
        if (known is None or known[0].shown is None) and (edit := self.next_edit(query)) is not None:
            return Outcome((edit,), source="edit")
        if known is not None:
            outcome = await self._answer(*known, query)
            # Who asks by key for what was empty wants another try.
            again = query.trigger == "invoked" and outcome is not None and not outcome.suggestions
            if outcome is not None and not again:
                return outcome
            if known[0].failed:
                self._debouncer.wasted()
        self.context.prepare(query, tokens=self._context_tokens)
        delay = self._debouncer.delay(self._acceptance.rate(query.language), contradicted=contradicted)
        if query.trigger == "automatic" and delay > 0:
            await asyncio.sleep(delay)
        if self._newest.get(query.uri) != ticket:
            return Outcome(reason="superseded")
        return await self._ask(query, ticket, again=again)

    def _known(self, place: Surroundings, query: CompletionQuery) -> tuple[Generation, str] | None:
        """Return the generation that goes on at the cursor and what was typed of it: the one on screen before any other."""
        shown = self._on_screen.get(query.uri)
        if shown is not None and not shown.failed and shown.place.after == place.after:
            typed = typed_since(shown, place, query)
            if typed is not None and typed != shown.text:
                return shown, typed
        return self._inflight.index.find(place, query) or self._inflight.index.find_moved(place, query)

    async def _ask(self, query: CompletionQuery, ticket: int, *, again: bool) -> Outcome:
        try:
            target = await self._targets.completion_target()
            self._refuse_paused(target)
        except NoModelError as error:
            return self._from_identifiers(query, "no_model", error)
        except ModelError as error:
            return self._from_identifiers(query, "model_error", error)
        if (
            refusal := guards.refuse_for_target(query, remote=not target.is_local, is_ignored=self.is_ignored)
        ) is not None:
            return refusal
        self._context_tokens = target.context_tokens
        context = await self.context.gather(query, tokens=target.context_tokens, patient=query.trigger == "invoked")
        async with self._inflight.room(query.uri, target):
            if self._inflight.closed or self._newest.get(query.uri) != ticket:
                # A newer question came meanwhile, or the settings changed and another engine answers the next key.
                return Outcome(reason="superseded")
            shape = shape_at(query, self._policy.multiline)
            generation = self._generation(query, _rules(query, shape, target), target)
            window = window_for(query, small=target.small)
            request = self._request(query, shape, target, context, window)
            self._inflight.start(
                generation, target, replace(request, temperature=RETRY_TEMPERATURE) if again else request
            )
            self._note(query, target, context, window)
            self._debouncer.asked()
        outcome = await self._answer(generation, "", query, shape)
        if outcome is not None:
            return outcome
        failure = self._failed(generation, query)
        if failure.reason != "model_error" or (rescued := generation.remnant()) is None:
            return failure
        # The stream broke off, but its whole lines are as good as they were.
        self._inflight.index.add(rescued)
        outcome = await self._answer(rescued, "", query, shape)
        return (
            failure
            if outcome is None or not outcome.suggestions
            else replace(failure, suggestions=outcome.suggestions, source="stream", model=generation.model)
        )

    def _request(
        self, query: CompletionQuery, shape: Shape, target: Target, context: Context, window: Window
    ) -> CompletionRequest:
        return build_request(
            target.info,
            window,
            max_tokens=self._policy.max_tokens if shape.multiline else min(self._policy.max_tokens, LINE_TOKENS),
            multiline=shape.multiline,
            logprobs=self._policy.show_threshold > 0,
            context=context,
            language=query.language,
        )

    def _note(self, query: CompletionQuery, target: Target, context: Context, window: Window) -> None:
        line, character = query.line, query.character
        text = query.text.line(line)
        self._sent.add(Sent(query.uri, query.language, line, character, text, target, window, context, time.time()))

    def sent(self, uri: str | None = None) -> Sent | None:
        """Return what a model read last for a document, or for any; None when none was asked yet."""
        return self._sent.get(uri)

    def _generation(
        self,
        query: CompletionQuery,
        rules: StopRules,
        target: Target,
        *,
        behind: Generation | None = None,
        lead: str = "",
    ) -> Generation:
        self.counts["generations"] += 1
        self._acceptance.called(query.language, model=target.info.name)
        return Generation(
            query,
            surroundings(query),
            rules,
            provider=target.provider,
            model=target.info.name,
            clock=self._clock,
            behind=behind,
            lead=lead,
            reach=reach(small=target.small),
        )

    # -- the answer ----------------------------------------------------------------------------------------------------

    async def _answer(
        self, generation: Generation, typed: str, query: CompletionQuery, shape: Shape | None = None
    ) -> Outcome | None:
        """Wait until ``generation`` has enough to show behind ``typed``; None when it has nothing for this cursor."""
        streaming = not generation.done
        if streaming:
            show_at = generation.started + self._policy.show_after
            await generation.wait(lambda: not generation.continues(typed), timeout_at=show_at)
            await generation.wait(lambda: has_line(generation, typed))
            if generation.first_text is not None:
                self._debouncer.answered(generation.first_text)
                self.first_text_s = generation.first_text
        if generation.failed or not generation.text.startswith(typed):
            return None
        generation.answered = True
        if typed and generation.text == typed:
            # Typed to its end: the next question is a new one.
            return None
        text, covers, emptied_by = show(generation, typed, query, shape)
        while not text and not generation.done:
            # Half of a block may be nothing to show where the whole of it is.
            await generation.wait(partial(has_more_lines, generation, typed, generation.text.count("\n")))
            if generation.failed or not generation.text.startswith(typed):
                return None
            text, covers, emptied_by = show(generation, typed, query, shape)
        if not text:
            said = generation.text[len(typed) :].strip()
            reason: Reason = "filtered" if said else "empty_answer"
            detail = f"filtered: {emptied_by}" if said else "the model had nothing to add"
            return Outcome(reason=reason, detail=detail, source="model", model=generation.model)
        if query.trigger == "automatic" and self._is_unlikely(generation, typed, text, query):
            return Outcome(reason="unlikely", source="model", model=generation.model)
        self._complained = ""
        generation.shown, generation.shown_whole = (len(typed), text), generation.done
        self._on_screen[query.uri] = generation
        self._debouncer.shown()
        suggestion = Suggestion(f"{generation.number}:{len(typed)}", text, query.character, query.character + covers)
        if self._policy.prefetch and not self._tasks.closed:
            self._tasks.start(self._prefetch(generation, typed, query), name="prefetch")
        source: Literal["stream", "cache"] = "stream" if streaming else "cache"
        return Outcome((suggestion,), source=source, model=generation.model)

    def _is_unlikely(self, generation: Generation, typed: str, text: str, query: CompletionQuery) -> bool:
        """Tell whether ``text`` is better not shown: judged once, when it is first looked at."""
        if not self._policy.show_threshold or generation.shown is not None:
            return False
        if len(typed.strip()) >= CONVINCING_CHARS:
            # The user is typing just this: whatever the odds were, it is right so far.
            return False
        if not generation.tokens:
            # Without the model's own odds there is too little to judge by.
            return False
        if generation.worth_showing is None:
            # That it parses, or begins what does, has been seen to by the filters.
            features = measure(
                query,
                text,
                generation.tokens,
                typed=typed,
                acceptance=self._acceptance.rate(query.language),
                language_known=grammar(query.language) is not None,
            )
            generation.worth_showing = is_worth_showing(features, self._policy.show_threshold)
        return not generation.worth_showing

    async def _prefetch(self, shown: Generation, typed: str, query: CompletionQuery) -> None:
        """Ask for what comes behind a suggestion while the user looks at it, if the provider has nothing else to do."""
        await shown.wait(lambda: False)
        if shown.failed:
            return
        text, covers, _ = show(shown, typed, query)
        ahead = look_ahead(query, Suggestion("", text, query.character, query.character + covers)) if text else None
        if ahead is None:
            return
        known = self._inflight.index.find(surroundings(ahead.place), ahead.place)
        if known is not None and known[0].text != known[1]:
            return
        try:
            target = await self._targets.completion_target()
            self._refuse_paused(target)
        except ModelError:
            return
        refused = guards.refuse_for_target(query, remote=not target.is_local, is_ignored=self.is_ignored)
        if refused is None and not self._inflight.busy(target.provider) and not self._inflight.closed:
            wide = shape_at(ahead.question, "auto")
            rules = _rules(ahead.question, wide, target)
            generation = self._generation(ahead.place, rules, target, behind=shown, lead=ahead.lead)
            generation.answered = True  # Nobody waits for it, so nobody's leaving ends it.
            window, context = window_for(ahead.question, small=target.small), self.context.current(query.uri)
            self._inflight.start(generation, target, self._request(ahead.question, wide, target, context, window))

    def _failed(self, generation: Generation, query: CompletionQuery) -> Outcome:
        self._inflight.index.discard(generation)
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
        """Close at once every stream of this document that the new text no longer fits, and see what became of suggestions."""
        if self._inflight.close_misfits(uri, text, first_line):
            self._debouncer.wasted()
        self._acceptance.document_changed(uri, text, first_line=first_line, last_line=last_line)

    def document_closed(self, uri: str) -> None:
        """Close every stream of this document."""
        self._newest.pop(uri, None)
        self._on_screen.pop(uri, None)
        self._sent.forget(uri)
        self._inflight.close_document(uri)
        self._acceptance.document_closed(uri)

    def accepted(self, suggestion_id: str, kind: str) -> None:
        """Learn that the user took a suggestion."""
        logger.debug("accepted %s (%s)", suggestion_id, kind)
        self._acceptance.accepted(suggestion_id, kind)

    def cancel(self) -> int:
        """Close every stream at once and return how many there were."""
        return self._inflight.close_all()

    def configure(self, policy: CompletionPolicy) -> None:
        """Follow changed settings from the next question on."""
        if policy.debounce != self._policy.debounce:
            self._debouncer = Debouncer(policy.debounce, self._clock)
        self._policy = policy

    async def aclose(self) -> None:
        """End every generation and wait until their connections are closed."""
        await self._inflight.aclose()
        await self._tasks.aclose()


def _rules(query: CompletionQuery, shape: Shape, target: Target) -> StopRules:
    family = target.info.fim_family
    return StopRules(query, shape, frozenset(special_tokens(family)) if family else frozenset())
