"""Which agents may work, and what each is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from dragoman.agents.run import Run
from dragoman.errors import AgentStoppedError

InstanceState = Literal["idle", "running", "stopped"]


@dataclass(frozen=True, slots=True)
class Instance:
    """One agent as it is now; ``runs`` are those of it that go on."""

    agent: str
    state: InstanceState
    runs: tuple[str, ...] = ()


class Instances:
    """The states of agents by name; one that nobody has stopped may work."""

    def __init__(self, runs: Callable[[], Iterable[Run]]) -> None:
        self._runs = runs
        self._stopped: set[str] = set()

    def get(self, agent: str) -> Instance:
        """Return what an agent is doing."""
        runs = tuple(run.id for run in self.running(agent))
        if agent in self._stopped:
            return Instance(agent, "stopped", runs)
        return Instance(agent, "running" if runs else "idle", runs)

    def running(self, agent: str) -> tuple[Run, ...]:
        """Return the runs of an agent that go on."""
        return tuple(run for run in self._runs() if run.agent == agent and not run.has_ended)

    def check(self, agent: str) -> None:
        """Raise AgentStoppedError for an agent that was stopped."""
        if agent in self._stopped:
            raise AgentStoppedError(
                f"The agent {agent!r} is stopped.", hint=f"`dragoman agents start {agent}` lets it work again."
            )

    def start(self, agent: str) -> None:
        """Let an agent work again."""
        self._stopped.discard(agent)

    async def stop(self, agent: str) -> int:
        """Take no more tasks for an agent, end its runs, and return how many those were."""
        self._stopped.add(agent)
        ended = self.running(agent)
        for run in ended:
            await run.cancel()
        return len(ended)
