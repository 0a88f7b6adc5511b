"""Who is next, against a list that is looked through: the whole of the rule."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from onellm import Limits
from onellm.policy.limits import Cost
from onellm.policy.turns import Pacer, Turn

steps = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.integers(-2, 2)),
        st.tuples(st.just("leave"), st.integers(0, 50)),
        st.tuples(st.just("end"), st.just(0)),
    ),
    max_size=120,
)


class Waiting:
    """A task that waits for a turn, and keeps it."""

    def __init__(self, pacer: Pacer, number: int, priority: int) -> None:
        self.number = number
        self.priority = priority
        self.turn: Turn | None = None
        self.task = asyncio.create_task(self._wait(pacer))

    async def _wait(self, pacer: Pacer) -> None:
        self.turn = await pacer.turn("m", Cost(), self.priority, None)


async def settled() -> None:
    """Until every task has gone as far as it can."""
    for _ in range(4):
        await asyncio.sleep(0)


async def goes_by_the_rule(todo: list[tuple[str, int]]) -> None:
    pacer = Pacer(Limits(concurrency=1), {})
    line: list[Waiting] = []
    holder: Waiting | None = None
    given_before = 0
    for number, (what, which) in enumerate(todo):
        if what == "come":
            line.append(Waiting(pacer, number, which))
        elif what == "leave" and line:
            left = line.pop(which % len(line))
            left.task.cancel()
        elif what == "end" and holder is not None:
            assert holder.turn is not None
            holder.turn.end()
            holder = None
        await settled()
        if holder is None and line:
            oldest = given_before % 8 == 7
            holder = min(line, key=lambda one: one.number if oldest else (-one.priority, one.number))
            line.remove(holder)
            given_before += 1
        assert [one.number for one in line if one.turn is not None] == []
        assert holder is None or holder.turn is not None
        assert pacer.line("m").waiting == len(line)
        assert pacer.line("m").gate.under_way == (holder is not None)
    for one in line:
        one.task.cancel()
    await settled()
    if holder is not None:
        assert holder.turn is not None
        holder.turn.end()
    assert pacer.line("m").gate.under_way == pacer.line("m").waiting == 0
    assert not pacer._alarms


@given(steps)
@settings(deadline=None, max_examples=150)
def test_turns_go_by_priority_and_age(todo: list[tuple[str, int]]) -> None:
    """However they come, leave and end, at every step; and nothing is left behind."""
    asyncio.run(goes_by_the_rule(todo))
