"""Every number of agents' runs, with its reason; those of their tools are in `dragoman.agents.limits`."""

from __future__ import annotations

from typing import Final

STEPS: Final = 40
"""Answers of the model in one run; a task that needs more is better cut in two."""

TOKENS: Final = 500_000
"""Tokens of all answers and prompts of a run: forty steps at the window of a usual model."""

SECONDS: Final = 1_800.0
"""A run's time without the waiting for a person; local models are slow."""

CONTEXT_TOKENS: Final = 16_000
"""The longest prompt of a step: some forty files' outlines or ten of their halves; more is slow and costs, and is read badly."""

ANSWER_TOKENS: Final = 4_096
"""The longest answer of one step: a file of some 400 lines."""

REPEATED_CALLS: Final = 3
"""So often the same call with the same result is made, with nothing new in between, until the run is taken to be in a loop."""

ARGUMENT_REPAIRS: Final = 1
"""Wrong arguments of one tool that a model may mend, in a row, before the run fails."""

SILENCES: Final = 1
"""Empty answers that a model is told of until the run fails; small models give one when a prompt ends oddly."""

REMINDERS: Final = 3
"""So often a small model is told that it has answered and done nothing: each time it looks at one thing more."""

HISTORY_MESSAGES: Final = 400
"""Messages of a run that its context may hold, more than its steps make; tokens are what bounds it."""

EVENTS_KEPT: Final = 20_000
"""Events of a run that are kept for who looks later; beyond that the oldest are dropped."""

FINISHED_RUNS: Final = 100
"""Ended runs that are at hand without a store."""

DEFINITION_BYTES: Final = 200_000
"""A longer agent file is no prompt that anybody wrote."""

DEFINITION_FILES: Final = 200
"""Agent files that are read of one folder."""

INSTRUCTION_CHARS: Final = 12_000
"""So much of a project's conventions is read along, some 3,000 tokens."""

INSTRUCTION_CHARS_PER_TOKEN: Final = 0.4
"""Characters of conventions for each token of a model's window: a tenth of it, so that a small one keeps room for the task."""

WINDOW_SMALL: Final = 8_192
"""A model with a window below this gets only the most needed tools: the schemas of all would fill half of it."""

SUMMARY_TOKENS: Final = 400
"""The summary of what fell out of a run's context."""

BRANCH_BASES: Final = (
    "origin/HEAD",
    "origin/main",
    "origin/master",
    "main",
    "master",
    "trunk",
    "develop",
    "@{upstream}",
)
"""What a branch is compared with to describe it: the first that is there and that it is ahead of."""
