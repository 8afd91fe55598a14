"""The measurement of the agent runtime plays its script to the end, and its rows hold what the README shows."""

from __future__ import annotations

from tests.bench.agent_steps import TABLE
from tests.bench.agent_steps_cancel import POINTS, cancel_at
from tests.bench.agent_steps_ours import Ours
from tests.bench.agent_steps_service import ANSWER


async def test_ours_plays_the_script() -> None:
    subject = Ours()
    assert await subject.run(2, 2) == ANSWER
    await subject.pause()
    await subject.pause()
    assert await subject.go_on() == 2


async def test_nothing_is_left_of_a_run_that_is_cancelled_at_any_point() -> None:
    for point in POINTS:
        row = await cancel_at(point, 1)
        assert (row["asked"], row["ended"], row["left_over"]) == (1, 1, 0), point
        assert all(show(row) for show in TABLE.columns.values())
