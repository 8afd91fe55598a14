"""Which agents may work, and what each is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from dragoman.agents.run import Run
from dragoman.agents.stopped import StoppedAgents
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

    def __init__(self, runs: Callable[[], Iterable[Run]], stopped: StoppedAgents | None = None) -> None:
        self._runs = runs
        self._stopped = stopped or StoppedAgents()

    def get(self, agent: str) -> Instance:
        """Return what an agent is doing."""
        runs = tuple(run.id for run in self.running(agent))
        if agent in self._stopped.names():
            return Instance(agent, "stopped", runs)
        return Instance(agent, "running" if runs else "idle", runs)

    def running(self, agent: str) -> tuple[Run, ...]:
        """Return the runs of an agent that go on."""
        return tuple(run for run in self._runs() if run.agent == agent and not run.has_ended)

    def check(self, agent: str) -> None:
        """Raise AgentStoppedError for an agent that was stopped."""
        if agent in self._stopped.names():
            raise AgentStoppedError(
                f"The agent {agent!r} is stopped.", hint=f"`dragoman agents start {agent}` lets it work again."
            )

    def start(self, agent: str) -> bool:
        """Let an agent work again; False when it was not stopped.  Raises StorageError."""
        return self._stopped.set(agent, stopped=False)

    async def stop(self, agent: str) -> int:
        """Take no more tasks for an agent in any process, end its runs in this one, and return how many those were.

        Raises StorageError.
        """
        self._stopped.set(agent, stopped=True)
        ended = self.running(agent)
        for run in ended:
            await run.cancel()
        return len(ended)
