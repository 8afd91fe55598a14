"""One answer of a model, while it streams and after."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
from collections.abc import AsyncGenerator, Callable

from dragoman.cancellation import TaskSet
from dragoman.clock import Clock, monotonic
from dragoman.completion.query import CompletionQuery, TextView
from dragoman.completion.stopping import StopRules
from dragoman.completion.structure import Cut
from dragoman.completion.surroundings import Surroundings, is_only_one, text_after, text_before
from dragoman.completion.vicinity import Vicinity
from dragoman.errors import ModelError
from dragoman.limits import LINGER_S, PREFIX_CHARS, SUFFIX_CHARS, TYPED_THROUGH_CHARS
from dragoman.models.base import Chunk, Token

_numbers = itertools.count(1)
_MISFIT = "The generation was stopped: the text no longer fits."


class Generation:
    """A stream with its text so far; any number of requests may wait for it, and it outlives each of them.

    An editor's cancel means that one reply is no longer wanted, not that the text no longer fits.
    So the stream is closed when the document says something else (`close`), or `LINGER_S` after the last request that
    wanted it left without an answer.
    """

    def __init__(
        self,
        query: CompletionQuery,
        place: Surroundings,
        rules: StopRules,
        *,
        provider: str,
        model: str,
        clock: Clock = monotonic,
        behind: Generation | None = None,
        lead: str = "",
        reach: tuple[int, int] = (PREFIX_CHARS, SUFFIX_CHARS),
    ) -> None:
        self.number = next(_numbers)
        self.uri = query.uri
        self.place = place
        self.provider = provider
        self.model = model
        self.behind = behind
        """The shown generation that this one was prefetched for: while it streams, it fits as long as that one does."""
        self.tokens: list[Token] = []
        """The raw answer's tokens with their probabilities, where the server tells them."""
        self.shown: tuple[int, str] | None = None
        """What the user last saw of it, and how much of it had been typed by then."""
        self.shown_whole = False
        """Whether it had ended by then, so that no more can come."""
        self.cut: Cut = ""
        """Why it ended before the model was done, "" while it streams and when the model was."""
        self.worth_showing: bool | None = None
        """Whether it was likely enough to be right when it was first looked at."""
        self.special = rules.special
        self.text = ""
        self.done = False
        self.answered = False
        self.error: ModelError | None = None
        self.started = clock()
        self.first_text: float | None = None
        """Seconds from the start to the first text."""
        self._clock = clock
        self._rules: StopRules | None = rules
        self._lead = lead
        """What the model was told to have written already, between the cursor and the text that it answers."""
        self._one_line = not (rules.multiline or lead)
        self._text: TextView | None = query.text
        self._reach = reach
        self._vicinity: Vicinity | None = None
        self._is_only_one = False
        self._line, self._character = query.line, query.character
        self._asked_line = query.line
        self._line_count = query.text.line_count
        self._typed = ""
        """What the document has behind the anchor by now; text that comes later must agree with it."""
        self._waiting = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._linger: asyncio.TimerHandle | None = None

    # -- the stream ----------------------------------------------------------------------------------------------------

    def start(self, stream: AsyncGenerator[Chunk, None], tasks: TaskSet) -> None:
        """Begin to read ``stream`` in a task of ``tasks``."""
        self._task = tasks.start(self._read(stream), name=f"generation-{self.number}")

    async def _read(self, stream: AsyncGenerator[Chunk, None]) -> None:
        raw = ""
        rules, self._rules = self._rules, None
        assert rules is not None, "a generation is read once"
        try:
            async with contextlib.aclosing(stream):
                async for chunk in stream:
                    raw += chunk.text
                    self.tokens += chunk.tokens
                    if raw and self.first_text is None:
                        self.first_text = self._clock() - self.started
                    text, ended = rules.cut(raw, done=chunk.finish is not None)
                    self.text = self._lead + text if text else ""
                    self.cut = "length" if chunk.finish == "length" else "line" if rules.cut_off else ""
                    if ended:
                        break
                    if not self.continues(self._typed):
                        self.error = ModelError(_MISFIT)
                        break
                    self._notify()
        except ModelError as error:
            self.error = error
        finally:
            self.done = True
            # One prefetched behind the other would hold on to all that were ever shown.
            self.behind = None
            self._disarm()
            self._notify()
            # Not now: the answer goes out first.
            asyncio.get_running_loop().call_soon(self._look_around)

    async def close(self) -> None:
        """Close the model's connection at once and wait until it is closed."""
        self._disarm()
        task = self._task
        if task is None or task.done():
            return
        if self.error is None and not self.done:
            self.error = ModelError(_MISFIT)
        if not self._closing:
            # A second cancel would interrupt the first one's closing of the connection.
            self._closing = True
            task.cancel()
        await asyncio.wait([task])

    def remnant(self) -> Generation | None:
        """Return the whole lines of an answer that was stopped, as a finished one: a backspace brings their place back."""
        kept = self.text.rstrip("\n").rpartition("\n")[0] if "\n" in self.text.strip("\n") else ""
        if not kept.strip():
            return None
        self._look_around()
        remnant = copy.copy(self)
        remnant.number = next(_numbers)
        remnant.text, remnant.done, remnant.error = kept, True, None
        remnant._task = remnant._linger = remnant._text = None
        return remnant

    @property
    def failed(self) -> bool:
        """Whether this ended with an error and is of no further use."""
        return self.error is not None

    # -- who wants it --------------------------------------------------------------------------------------------------

    async def wait(self, enough: Callable[[], bool], *, timeout_at: float | None = None) -> None:
        """Return when it is done, when ``enough()`` turns true after new text, or at ``timeout_at`` of the clock."""
        self._waiting += 1
        self._disarm()
        try:
            while not (self.done or enough()):
                remaining = None if timeout_at is None else timeout_at - self._clock()
                if remaining is not None and remaining <= 0:
                    return
                # Not asyncio.wait_for: on Python 3.11 it loses a cancellation that comes together with new text.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(remaining):
                        await self._changed.wait()
        finally:
            self._waiting -= 1
            if not (self._waiting or self.done or self.answered):
                self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._expire)

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _expire(self) -> None:
        self._linger = None
        if self._task is not None and not self._waiting:
            self.error = ModelError("The generation was stopped: nobody waits for it any more.")
            self._task.cancel()

    def _disarm(self) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    # -- whether it fits -----------------------------------------------------------------------------------------------

    def rests_on(self, text: TextView, first: int, last: int) -> bool:
        """Tell whether what the model read around its line is still around ``first..last`` of ``text``."""
        self._look_around()
        return self._vicinity is not None and self._vicinity.is_around(text, first, last)

    @property
    def is_only_one(self) -> bool:
        """Whether its line was the only one that began so."""
        self._look_around()
        return self._is_only_one

    def _look_around(self) -> None:
        """Remember the lines around the question instead of its whole text, which would hold on to every version of it."""
        asked, self._text = self._text, None
        if asked is not None:
            above, below = self._reach
            self._vicinity = Vicinity(asked, self._asked_line, chars_above=above, chars_below=below)
            self._is_only_one = is_only_one(asked, self._asked_line, self.place.head)

    def continues(self, typed: str) -> bool:
        """Tell whether this answer goes on, or still may go on, after ``typed``."""
        if self._one_line and "\n" in typed:
            return False
        if self._lead and 1 < len(typed) < len(self._lead):
            # The user stands on a line that is indented less than the one that was asked about.
            return False
        return self.text.startswith(typed) or (not self.done and typed.startswith(self.text))

    def fits(self, text: TextView, first_changed: int = -1) -> bool:
        """Tell whether the document still asks the question that this answers, and follow the cursor's line when it moved.

        ``first_changed`` is the first line that the last change touched.
        """
        return self._fits_here(text, first_changed) or (
            self.behind is not None and self.behind.fits(text, first_changed)
        )

    def _fits_here(self, text: TextView, first_changed: int) -> bool:
        delta = text.line_count - self._line_count
        for line in dict.fromkeys((self._line, self._line + delta)):
            # Lines that came where the question's own line was touched were typed behind the cursor.
            if self._fits_at(text, line, broken=delta > 0 and line == first_changed):
                self._line, self._line_count = line, text.line_count
                return True
        return False

    def _fits_at(self, text: TextView, line: int, *, broken: bool) -> bool:
        if not 0 <= line < text.line_count:
            return False
        content = text.line(line).rstrip("\r\n")
        if len(content) < self._character:
            return False
        head = content[: self._character]
        anchor = self.place.anchor
        if text_before(text, line, head, len(anchor)) != anchor:
            return False
        typed = content[self._character :]
        if broken or not self.rests_on(text, line, line):
            return self._fits_over_lines(text, line, typed)
        # On one line the cursor may be anywhere behind the anchor: find a place where the rest is what it was.
        after = self.place.after
        for length in range(min(len(typed), TYPED_THROUGH_CHARS) + 1):
            if self.continues(typed[:length]) and text_after(text, line, typed[length:]) == after:
                self._typed = typed[:length]
                return True
        return self._fits_over_lines(text, line, typed)

    def _fits_over_lines(self, text: TextView, line: int, typed: str) -> bool:
        """Tell whether lines of the answer itself were typed or accepted below the anchor's line."""
        anchor = line
        while line + 1 < text.line_count and typed.count("\n") < 40:
            line += 1
            content = text.line(line).rstrip("\r\n")
            typed += "\n"
            if not self.continues(typed):
                return False
            for length in range(min(len(content), TYPED_THROUGH_CHARS) + 1):
                if (
                    self.continues(typed + content[:length])
                    and text_after(text, line, content[length:]) == self.place.after
                    and self.rests_on(text, anchor, line)
                ):
                    self._typed = typed + content[:length]
                    return True
            typed += content
        return False
