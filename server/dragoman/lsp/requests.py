"""The requests in flight: superseded, cancelled, and each answered exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

RequestId = int | str
Answer = Callable[[RequestId, Any], None]
Fail = Callable[[RequestId, BaseException], None]


class RequestCancelledError(Exception):
    """The client withdrew its request, or the server is shutting down."""


class _Request:
    __slots__ = ("key", "place", "request_id", "superseded_result", "task")

    def __init__(self, request_id: RequestId, key: Hashable, place: Hashable, superseded_result: Any) -> None:
        self.request_id = request_id
        self.key = key
        self.place = place
        self.superseded_result = superseded_result
        self.task: asyncio.Task[Any] | None = None


class Requests:
    """Owns the task of every request that is not answered yet.

    Being in the table is the right to be answered: whoever takes a request out answers it, and nobody else can.
    """

    def __init__(self, answer: Answer, fail: Fail) -> None:
        self._answer = answer
        self._fail = fail
        self._open: dict[RequestId, _Request] = {}
        self._newest: dict[Hashable, _Request] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, request_id: RequestId) -> bool:
        return request_id in self._open

    def start(
        self,
        request_id: RequestId,
        work: Coroutine[Any, Any, Any],
        *,
        name: str,
        key: Hashable = None,
        place: Hashable = None,
        superseded_result: Any = None,
    ) -> None:
        """Run ``work`` and answer with what it returns.

        A request with a ``key`` ends an older one with the same key, which is answered with its ``superseded_result``, unless
        both ask for the same ``place``.
        """
        request = _Request(request_id, key, place, superseded_result)
        if key is not None:
            older = self._newest.get(key)
            self._newest[key] = request
            if (
                older is not None
                and (place is None or older.place != place)
                and self._take(older.request_id) is not None
            ):
                self._end(older)
                self._answer(older.request_id, older.superseded_result)
        self._open[request_id] = request
        request.task = asyncio.get_running_loop().create_task(self._run(request, work), name=name)
        self._tasks.add(request.task)

        def ended(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            work.close()  # A task cancelled before its first step has never touched its work.

        request.task.add_done_callback(ended)

    def cancel(self, request_id: RequestId) -> bool:
        """Answer a request as cancelled, now, and end its work; False when it is answered already or unknown."""
        request = self._take(request_id)
        if request is None:
            return False
        self._end(request)
        self._fail(request_id, RequestCancelledError("The client cancelled the request."))
        return True

    def cancel_all(self, reason: str) -> None:
        """Answer every open request as cancelled and end its work."""
        for request_id in list(self._open):
            request = self._take(request_id)
            if request is not None:
                self._end(request)
                self._fail(request_id, RequestCancelledError(reason))

    async def aclose(self) -> None:
        """End all work without answers (nobody listens any more) and wait until it has ended."""
        self._open.clear()
        self._newest.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _take(self, request_id: RequestId) -> _Request | None:
        request = self._open.pop(request_id, None)
        if request is not None and self._newest.get(request.key) is request:
            del self._newest[request.key]
        return request

    @staticmethod
    def _end(request: _Request) -> None:
        if request.task is not None:
            request.task.cancel()

    async def _run(self, request: _Request, work: Coroutine[Any, Any, Any]) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = await work
        except asyncio.CancelledError as cancelled:
            error = cancelled
        except Exception as raised:  # noqa: BLE001 - every failure becomes the request's one reply
            error = raised
        if self._open.get(request.request_id) is not request:
            return
        self._take(request.request_id)
        if error is None:
            self._answer(request.request_id, result)
        elif isinstance(error, asyncio.CancelledError):
            self._fail(request.request_id, RequestCancelledError("The work was cancelled."))
        else:
            self._fail(request.request_id, error)
