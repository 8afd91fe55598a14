"""When the peers ask a model and what they remember: policies re-implemented from what they publish, one class each.

Nothing here is a peer's code, and their prompts, filters and models are left out: every policy asks the same stand-in.
What is kept is what decides about calls: waiting, keys of the cache, what becomes of a request that is under way.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from dragoman.cancellation import cancel_and_wait
from tests.bench.calls_model import StandIn
from tests.bench.calls_place import Place


class Policy(Protocol):
    """When a model is asked, and what of its answers is used again."""

    label: str
    show: Callable[[str], None]
    """Puts a text on the screen outside of any request."""

    async def suggest(self, place: Place) -> str | None:
        """Return what to show, "" for nothing, None to leave the screen alone; cancelled by the next key."""
        ...

    def moved(self) -> None:
        """Learn that the cursor left without an edit."""
        ...

    def accepted(self, text: str, kind: str) -> None:
        """Learn that the user took ``text``: whole, a word or a line."""
        ...

    @property
    def entries(self) -> int:
        """How many answers are remembered."""
        ...

    async def aclose(self) -> None:
        """End every task."""
        ...


class Peer:
    """What the re-implemented policies share."""

    label = ""
    show: Callable[[str], None]

    def __init__(self, model: StandIn) -> None:
        self.model = model
        self.show = lambda _text: None

    async def ask(self, place: Place, max_tokens: int | None = None) -> str:
        return await self.model.ask(place.before, place.after, one_line=not place.multiline, max_tokens=max_tokens)

    def moved(self) -> None:
        pass

    def accepted(self, text: str, kind: str) -> None:
        pass

    @property
    def entries(self) -> int:
        return 0

    async def aclose(self) -> None:
        pass


def rest_of(answer: tuple[Place, str] | None, place: Place | None) -> str:
    """Return what of an answer is still to be typed at ``place``, "" when the text went another way."""
    if answer is None or place is None or answer[0].uri != place.uri:
        return ""
    asked, text = answer
    typed = place.before[len(asked.before) :]
    fits = place.before.startswith(asked.before) and text.startswith(typed) and asked.after == place.after
    return text[len(typed) :] if fits else ""


class NoCache(Peer):
    """A request for every key that outlives the debounce; the next key closes it."""

    def __init__(self, model: StandIn, debounce: float = 0.0) -> None:
        super().__init__(model)
        self.label = f"no cache, {1000 * debounce:.0f} ms"
        self._debounce = debounce

    async def suggest(self, place: Place) -> str | None:
        await asyncio.sleep(self._debounce)
        return await self.ask(place)


class ExactKey(Peer):
    """The same, with the answers remembered by the whole text around the cursor; 250 of them, the oldest goes."""

    def __init__(self, model: StandIn, debounce: float = 0.0) -> None:
        super().__init__(model)
        self.label = f"exact key, {1000 * debounce:.0f} ms"
        self._debounce = debounce
        self._answers: OrderedDict[int, str] = OrderedDict()

    async def suggest(self, place: Place) -> str | None:
        key = hash((place.uri, place.before, place.after))
        if (known := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            return known
        await asyncio.sleep(self._debounce)
        self._answers[key] = answer = await self.ask(place)
        while len(self._answers) > 250:
            self._answers.popitem(last=False)
        return answer

    @property
    def entries(self) -> int:
        return len(self._answers)


class TabbyAgent(Peer):
    """tabby-agent: adaptive debounce, also before what is known; answers entered ahead for 50 characters of the line."""

    label = "tabby-agent"
    ENTRIES = 100
    SECONDS = 300.0
    FORWARD = 50

    def __init__(self, model: StandIn) -> None:
        super().__init__(model)
        self._answers: OrderedDict[int, tuple[float, str]] = OrderedDict()
        self._base = 0.2
        self._gaps: list[float] = []
        self._last = -1e9
        self._latencies: list[float] = []

    async def suggest(self, place: Place) -> str | None:
        now = asyncio.get_running_loop().time()
        delay = self._delay(place, now)
        known = self._answers.get(self._key(place, ""))
        await asyncio.sleep(delay)
        if known is not None and now - known[0] <= self.SECONDS:
            return known[1]
        begun = asyncio.get_running_loop().time()
        answer = await self.ask(place)
        self._latencies = [*self._latencies[-9:], asyncio.get_running_loop().time() - begun]
        line = answer.split("\n", 1)[0]
        self._enter(self._key(place, ""), answer)
        for length in range(1, min(self.FORWARD, len(line))):
            self._enter(self._key(place, line[:length]), answer[length:])
        return answer

    def _key(self, place: Place, typed: str) -> int:
        return hash((place.uri, place.before + typed, place.after, place.others))

    def _enter(self, key: int, answer: str) -> None:
        self._answers[key] = (asyncio.get_running_loop().time(), answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self.ENTRIES:
            self._answers.popitem(last=False)

    def _delay(self, place: Place, now: float) -> float:
        gap, self._last = now - self._last, now
        if gap <= 0.4:
            self._gaps = [*self._gaps[-99:], gap]
            if len(self._gaps) > 20:
                self._base = min(max(sum(self._gaps) / len(self._gaps), 0.1), 0.4)
        no_word = not any(char.isalnum() or char == "_" for char in place.typed)
        score = 0.5 * no_word + 0.4 * (not place.rest.strip()) + 0.1 * (not place.after.strip())
        latency = sum(self._latencies) / len(self._latencies) if self._latencies else 0.0
        return min(max((3.0 - 1.5 * score) * self._base - latency, 0.1), 1.0)

    @property
    def entries(self) -> int:
        return len(self._answers)


class Continue(Peer):
    """Continue: 350 ms behind the last key; a cache whose key is the prefix alone; the running generator is used again."""

    label = "Continue"
    DEBOUNCE = 0.35
    ENTRIES = 1000
    PREFIX_CHARS = 1_200
    """30 % of 1,024 tokens."""

    def __init__(self, model: StandIn) -> None:
        super().__init__(model)
        self._answers: OrderedDict[str, str] = OrderedDict()
        self._running: asyncio.Task[str] | None = None
        self._running_prefix = ""
        self._running_call = -1

    async def suggest(self, place: Place) -> str | None:
        await asyncio.sleep(self.DEBOUNCE)
        prefix = self._prune(place.before)
        if known := self._find(prefix):
            return known
        so_far = self.model.calls[self._running_call].text if self._running is not None else ""
        reused = (
            self._running is not None
            and len(self._running_prefix) <= len(prefix)
            and (self._running_prefix + so_far).startswith(prefix)
        )
        if not reused:
            await cancel_and_wait(self._running)
            self._running_prefix, self._running_call = prefix, len(self.model.calls)
            self._running = asyncio.get_running_loop().create_task(self.ask(place))
            await asyncio.sleep(0)
        assert self._running is not None
        typed = prefix[len(self._running_prefix) :]
        answer = (await asyncio.shield(self._running))[len(typed) :]
        if not place.multiline:
            answer = answer.split("\n", 1)[0]
        if answer:
            self._answers[prefix] = answer
            self._answers.move_to_end(prefix)
            while len(self._answers) > self.ENTRIES:
                self._answers.popitem(last=False)
        return answer

    def _find(self, prefix: str) -> str:
        best = max((key for key in self._answers if prefix.startswith(key)), key=len, default=None)
        if best is None or not self._answers[best].startswith(prefix[len(best) :]):
            return ""
        self._answers.move_to_end(best)
        return self._answers[best][len(prefix) - len(best) :]

    def _prune(self, before: str) -> str:
        if len(before) <= self.PREFIX_CHARS:
            return before
        cut = before[-self.PREFIX_CHARS :]
        return cut[cut.find("\n") + 1 :] if "\n" in cut else cut

    @property
    def entries(self) -> int:
        return len(self._answers)

    async def aclose(self) -> None:
        await cancel_and_wait(self._running)


class LlamaVim(Peer):
    """llama.vim: one request at a time, polled each 100 ms; a look-back over 128 characters; the next one on speculation."""

    label = "llama.vim"
    KEYS = 250
    LOOK_BACK = 128
    POLL = 0.1
    FIRST_TOKENS = 16
    NEXT_TOKENS = 66
    """250 ms and 1,000 ms of generation at the stand-in's speed."""
    REST_CHARS = 8

    def __init__(self, model: StandIn) -> None:
        super().__init__(model)
        self._answers: OrderedDict[int, str] = OrderedDict()
        self._job: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._place: Place | None = None
        self._shown = False

    async def suggest(self, place: Place) -> str | None:
        self._place = place
        self._shown = False
        hint = self._hint(place)
        self.show(hint)
        self._fim("")
        if hint:
            self._shown = True
            self._fim(hint)
        return None

    def _hint(self, place: Place) -> str:
        best = self._answers.get(self._key(place.before, place.after), "")
        for length in range(1, self.LOOK_BACK + 1):
            if length > len(place.before):
                break
            typed = place.before[-length:]
            answer = self._answers.get(self._key(place.before[:-length], place.after))
            if answer is not None and answer.startswith(typed) and len(answer) - length > len(best):
                best = answer[length:]
        return best.rstrip("\n")

    def _fim(self, following: str) -> None:
        """Ask for what comes at the cursor, or behind ``following``, when nothing runs; else look again later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        place = self._place
        if place is None or len(place.rest) > self.REST_CHARS:
            return
        if self._job is not None and not self._job.done():
            self._timer = asyncio.get_running_loop().call_later(self.POLL, self._fim, following)
            return
        before = place.before + following
        # The key of the text itself, and without its first line, the first two, the first three.
        if any(key in self._answers for key in self._keys(before, place.after)):
            return
        self._job = asyncio.get_running_loop().create_task(self._run(before, place, bool(following)))

    async def _run(self, before: str, place: Place, speculative: bool) -> None:
        tokens = self.NEXT_TOKENS if speculative else self.FIRST_TOKENS
        answer = await self.model.ask(before, place.after, one_line=not place.multiline, max_tokens=tokens)
        for key in self._keys(before, place.after):
            self._answers[key] = answer
            self._answers.move_to_end(key)
        while len(self._answers) > self.KEYS:
            self._answers.popitem(last=False)
        if self._place is not None and not self._shown and (hint := self._hint(self._place)):
            self._shown = True
            self.show(hint)
            asyncio.get_running_loop().call_soon(self._fim, hint)

    def _keys(self, before: str, after: str) -> list[int]:
        parts = [before]
        for _ in range(3):
            if not (rest := parts[-1].partition("\n")[2]):
                break
            parts.append(rest)
        return [self._key(part, after) for part in parts]

    @staticmethod
    def _key(before: str, after: str) -> int:
        return hash((before[-2_000:], after[:1_000]))

    def moved(self) -> None:
        self._place = None
        self._shown = False
        if self._timer is not None:
            self._timer.cancel()

    @property
    def entries(self) -> int:
        return len(self._answers)

    async def aclose(self) -> None:
        self.moved()
        await cancel_and_wait(self._job)


class Zed(Peer):
    """Zed: at most one request in 300 ms, two under way; no request while what is shown still fits; no flicker."""

    label = "Zed-like"
    THROTTLE = 0.3

    def __init__(self, model: StandIn) -> None:
        super().__init__(model)
        self._last = -1e9
        self._pending: list[asyncio.Task[None]] = []
        self._retired: set[asyncio.Task[None]] = set()
        self._current: tuple[Place, str] | None = None
        self._place: Place | None = None

    async def suggest(self, place: Place) -> str | None:
        self._place = place
        rest = rest_of(self._current, place)
        if rest:
            self.show(rest)
            return None
        self._current = None
        self.show("")
        task = asyncio.get_running_loop().create_task(self._request(place))
        if len(self._pending) == 2:
            self._retire(self._pending.pop())
        self._pending.append(task)
        return None

    async def _request(self, place: Place) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._last + self.THROTTLE - loop.time()))
        self._last = loop.time()
        answer = await self.ask(place)
        me = asyncio.current_task()
        if self._pending and self._pending[0] is me:
            self._pending.pop(0)
        else:
            for task in self._pending:
                if task is not me:
                    self._retire(task)
            self._pending.clear()
        new = (place, answer)
        rest, old = rest_of(new, self._place), rest_of(self._current, self._place)
        if rest and (not old or rest.startswith(old)):
            self._current = new
            self.show(rest)

    def _retire(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    def accepted(self, text: str, kind: str) -> None:
        for task in self._pending:
            self._retire(task)
        self._pending.clear()

    def moved(self) -> None:
        self.accepted("", "")
        self._current = self._place = None

    @property
    def entries(self) -> int:
        return int(self._current is not None)

    async def aclose(self) -> None:
        self.moved()
        await cancel_and_wait(*self._retired)


class Cody(Peer):
    """Cody: 75 ms; a request each 250 ms may finish though the next key came; the last answer is used again at once."""

    label = "Cody-like"
    DEBOUNCE = 0.075
    TAIL = 0.025
    PROMOTE = 0.25
    ENTRIES = 50

    def __init__(self, model: StandIn) -> None:
        super().__init__(model)
        self._answers: OrderedDict[int, str] = OrderedDict()
        self._candidate: tuple[Place, str] | None = None
        self._running: dict[asyncio.Task[None], Place] = {}
        self._promoted = -1e9
        self._news = asyncio.Event()

    async def suggest(self, place: Place) -> str | None:
        if rest := rest_of(self._candidate, place):
            return rest
        if (known := self._answers.get(self._key(place))) is not None:
            return known
        for task, asked in self._running.items():
            if not place.before.startswith(asked.before) or place.after != asked.after:
                task.cancel()
        loop = asyncio.get_running_loop()
        promoted = loop.time() - self._promoted >= self.PROMOTE
        if promoted:
            self._promoted = loop.time()
        at_start = not place.lines[place.row][: place.column].strip()
        task = loop.create_task(self._request(place, 0.0 if at_start or promoted else self.DEBOUNCE + self.TAIL))
        self._running[task] = place
        task.add_done_callback(self._ended)
        try:
            while True:
                # Another request's answer may go on here too, and come first.
                await self._news.wait()
                if rest := rest_of(self._candidate, place):
                    return rest
                if task.done():
                    return ""
        finally:
            if not promoted:
                task.cancel()

    async def _request(self, place: Place, delay: float) -> None:
        await asyncio.sleep(delay)
        answer = await self.ask(place)
        self._candidate = (place, answer)
        self._answers[self._key(place)] = answer
        while len(self._answers) > self.ENTRIES:
            self._answers.popitem(last=False)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        news, self._news = self._news, asyncio.Event()
        news.set()

    @staticmethod
    def _key(place: Place) -> int:
        return hash((place.uri, place.before, place.after))

    @property
    def entries(self) -> int:
        return len(self._answers)

    async def aclose(self) -> None:
        await cancel_and_wait(*self._running)


PEERS: tuple[Callable[[StandIn], Peer], ...] = (
    NoCache,
    ExactKey,
    lambda model: ExactKey(model, 0.075),
    lambda model: ExactKey(model, 0.15),
    lambda model: ExactKey(model, 0.3),
    TabbyAgent,
    Continue,
    LlamaVim,
    Zed,
    Cody,
)
"""Every peer of the run; the exact key at several debounces draws the trade-off between calls and what is on screen."""
