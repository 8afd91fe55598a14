"""What the server has to say to the index and the pipe does not take yet."""

from __future__ import annotations

from collections import OrderedDict

from dragoman.context.workspace.protocol import Message
from dragoman.limits import INDEX_CHANGES


class Outbox:
    """Messages in order; what a later one makes needless is merged, so that a stuck index costs bounded memory."""

    def __init__(self) -> None:
        self._messages: OrderedDict[object, Message] = OrderedDict()
        self._number = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Add a message at the end, or into an earlier one of its kind: reading something newer never harms."""
        method, params = message.get("method"), message.get("params", {})
        if "id" in message:
            key: object = ("id", message["id"])
        elif method == "overlay":
            key = ("overlay", params.get("path"))
        elif method == "changed":
            key = "changed"
            message = self._merge_changes(params.get("paths", ()))
        elif method in {"near", "rescan", "start"}:
            key = method
        else:
            self._number += 1
            key = self._number
        self._messages[key] = message

    def withdraw(self, identity: int) -> bool:
        """Take back a request; False when it has left already."""
        return self._messages.pop(("id", identity), None) is not None

    def take(self) -> Message:
        """Remove and return the first message."""
        return self._messages.popitem(last=False)[1]

    def clear(self) -> None:
        """Forget everything."""
        self._messages.clear()

    def _merge_changes(self, paths: list[str]) -> Message:
        waiting = self._messages.get("changed", {})
        if waiting.get("method") == "rescan":
            return waiting
        merged = list(dict.fromkeys([*waiting.get("params", {}).get("paths", ()), *paths]))
        if len(merged) > INDEX_CHANGES:
            return {"method": "rescan", "params": {}}
        return {"method": "changed", "params": {"paths": merged}}
