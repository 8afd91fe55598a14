"""The queue in front of the model."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.engine.turns import Priority, Turns


@dataclass(eq=False)
class Ask:
    client: str
    text: str
    priority: Priority = "interactive"


def drain(turns: Turns[Ask]) -> list[str]:
    taken = []
    while (ask := turns.take()) is not None:
        taken.append(ask.text)
    return taken


def test_one_client_is_served_in_order() -> None:
    turns: Turns[Ask] = Turns()
    for text in "abc":
        turns.add(Ask("one", text))
    assert drain(turns) == ["a", "b", "c"]
    assert len(turns) == 0


def test_interactive_work_goes_before_background_work() -> None:
    turns: Turns[Ask] = Turns()
    turns.add(Ask("one", "chat", "background"))
    turns.add(Ask("two", "key"))
    turns.add(Ask("one", "key 2"))
    assert drain(turns) == ["key", "key 2", "chat"]


def test_a_busy_client_does_not_starve_a_quiet_one() -> None:
    turns: Turns[Ask] = Turns()
    for number in range(4):
        turns.add(Ask("busy", f"busy {number}"))
    turns.add(Ask("quiet", "quiet 0"))
    turns.add(Ask("quiet", "quiet 1"))
    assert drain(turns) == ["busy 0", "quiet 0", "busy 1", "quiet 1", "busy 2", "busy 3"]


def test_what_was_withdrawn_is_never_served() -> None:
    turns: Turns[Ask] = Turns()
    asks = [Ask("one", text) for text in "abc"]
    for ask in asks:
        turns.add(ask)
    assert turns.remove(asks[1])
    assert not turns.remove(asks[1])
    assert drain(turns) == ["a", "c"]


def test_clearing_returns_what_waited() -> None:
    turns: Turns[Ask] = Turns()
    turns.add(Ask("one", "a"))
    assert [ask.text for ask in turns.clear()] == ["a"]
    assert turns.take() is None
