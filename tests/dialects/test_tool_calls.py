"""Tool calls put together again, whatever a host does with index and id."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm.dialects.tool_calls import ToolCallAssembler
from onellm.types.chat import ChatCompletionMessageToolCall, ChoiceDeltaToolCall


def assemble(*deltas: dict[str, Any]) -> tuple[list[dict[str, Any]], list[int]]:
    """The calls, and the place that each delta was given."""
    assembler = ToolCallAssembler()
    places: list[int] = []
    for delta in deltas:
        converted = msgspec.convert(delta, ChoiceDeltaToolCall)
        assembler.add(converted)
        places.append(converted.index)
    return [call.to_dict() for call in assembler.calls() or []], places


def call(id_: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def f(name: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}}


CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], list[int]]] = {
    "nothing": ([], [], []),
    "in pieces, by index": (
        [{"index": 0, "id": "a", **f("one", "")}, {"index": 0, **f(None, "{")}, {"index": 0, **f(None, "}")}],
        [call("a", "one", "{}")],
        [0, 0, 0],
    ),
    "interleaved, by index": (
        [
            {"index": 0, "id": "a", **f("one", "")},
            {"index": 1, "id": "b", **f("two", "")},
            {"index": 0, **f(None, "{}")},
        ],
        [call("a", "one", "{}"), call("b", "two", "")],
        [0, 1, 0],
    ),
    "an index that does not begin at 0": (
        [{"index": 1, "id": "a", **f("one", "{}")}, {"index": 1, **f(None, " ")}],
        [call("a", "one", "{} ")],
        [0, 0],
    ),
    "whole calls, all index 0": (
        [{"index": 0, "id": "a", **f("one", "{}")}, {"index": 0, "id": "b", **f("two", "{}")}],
        [call("a", "one", "{}"), call("b", "two", "{}")],
        [0, 1],
    ),
    "pieces after a second call at index 0": (
        [
            {"index": 0, "id": "a", **f("one", "{}")},
            {"index": 0, "id": "b", **f("two", "{")},
            {"index": 0, **f(None, "}")},
        ],
        [call("a", "one", "{}"), call("b", "two", "{}")],
        [0, 1, 1],
    ),
    "by id": (
        [
            {"id": "a", **f("one", "{")},
            {"id": "b", **f("two", "[")},
            {"id": "a", **f(None, "}")},
            {"id": "b", **f(None, "]")},
        ],
        [call("a", "one", "{}"), call("b", "two", "[]")],
        [0, 1, 0, 1],
    ),
    "neither, a name begins a call": (
        [f("one", "{"), f(None, "}"), f("two", "[]")],
        [call("", "one", "{}"), call("", "two", "[]")],
        [0, 0, 1],
    ),
    "id and name repeated": (
        [{"index": 0, "id": "a", **f("one", "{")}, {"index": 0, "id": "a", **f("one", "}")}],
        [call("a", "one", "{}")],
        [0, 0],
    ),
    "the id comes later, and empty before": (
        [{"index": 0, "id": "", **f("one", "{")}, {"index": 0, "id": "a", **f(None, "}")}],
        [call("a", "one", "{}")],
        [0, 0],
    ),
    "an index after an id alone": (
        [{"id": "a", **f("one", "{")}, {"id": "a", "index": 0, **f(None, "}")}],
        [call("a", "one", "{}")],
        [0, 0],
    ),
    "no arguments": ([{"index": 0, "id": "a", **f("one")}], [call("a", "one", "")], [0]),
    "a custom tool": (
        [
            {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": ""}},
            {"index": 0, "custom": {"input": "ls"}},
        ],
        [{"id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}}],
        [0, 0],
    ),
    "a custom tool that does not say so": (
        [{"index": 0, "id": "a", "custom": {"name": "sh", "input": "ls"}}],
        [{"id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}}],
        [0],
    ),
    "a signature alone": (
        [
            {"index": 0, "id": "a", **f("one", "{}"), "extra_content": {"x": {"thought_signature": "s"}}},
            {"index": 0, "extra_content": {"y": 1}},
        ],
        [call("a", "one", "{}") | {"extra_content": {"x": {"thought_signature": "s"}, "y": 1}}],
        [0, 0],
    ),
}


@pytest.mark.parametrize(("deltas", "calls", "places"), CASES.values(), ids=CASES)
def test_cases(deltas: list[dict[str, Any]], calls: list[dict[str, Any]], places: list[int]) -> None:
    assert assemble(*deltas) == (calls, places)


def test_no_call_is_none() -> None:
    assert ToolCallAssembler().calls() is None


# --- the three ways in which hosts tell calls apart; `number` is the call's, `first` its first piece ---


def by_index(number: int, id_: str, *, first: bool) -> dict[str, Any]:
    return {"index": number, "id": id_, "type": "function"} if first else {"index": number}


def by_index_repeating(number: int, id_: str, *, first: bool) -> dict[str, Any]:  # noqa: ARG001 - repeats
    return {"index": number, "id": id_, "type": "function"}


def by_id(number: int, id_: str, *, first: bool) -> dict[str, Any]:  # noqa: ARG001 - repeats
    return {"id": id_}


def by_nothing(number: int, id_: str, *, first: bool) -> dict[str, Any]:  # noqa: ARG001 - as it says
    return {}


def all_zero(number: int, id_: str, *, first: bool) -> dict[str, Any]:  # noqa: ARG001 - as it says
    return {"index": 0, "id": id_} if first else {"index": 0}


Style = Callable[..., dict[str, Any]]
some_calls = st.lists(st.lists(st.text(max_size=4), min_size=1, max_size=4), min_size=1, max_size=4)


def pieces_of(style: Style, number: int, pieces: list[str], *, repeats_name: bool) -> list[dict[str, Any]]:
    return [
        {
            **style(number, f"id-{number}", first=at == 0),
            **f(f"name-{number}" if at == 0 or repeats_name else None, piece),
        }
        for at, piece in enumerate(pieces)
    ]


def expected(calls: list[list[str]], *, ids: bool = True) -> list[tuple[str, str, str]]:
    return [(f"id-{n}" if ids else "", f"name-{n}", "".join(pieces)) for n, pieces in enumerate(calls)]


def read(deltas: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    calls = [msgspec.convert(value, ChatCompletionMessageToolCall) for value in assemble(*deltas)[0]]
    return [(item.id, item.function.name, item.function.arguments) for item in calls]


@given(some_calls, st.sampled_from([by_index, by_index_repeating, by_id]), st.booleans(), st.randoms())
def test_any_interleaving_gives_the_same_calls(
    calls: list[list[str]], style: Style, repeats_name: bool, random: Any
) -> None:
    """Hosts that tell the calls apart may mix their pieces in any way; calls stand in the order they began in."""
    queues = [pieces_of(style, n, pieces, repeats_name=repeats_name) for n, pieces in enumerate(calls)]
    deltas: list[dict[str, Any]] = []
    begun = 0
    while any(queues):
        allowed = [n for n, queue in enumerate(queues) if queue and n <= begun]
        number = random.choice(allowed)
        begun = max(begun, number + 1)
        deltas.append(queues[number].pop(0))
    assert read(deltas) == expected(calls)


@given(some_calls, st.sampled_from([by_index, by_index_repeating, by_id, by_nothing, all_zero]))
def test_one_call_after_another_needs_no_index(calls: list[list[str]], style: Style) -> None:
    """Without an index of their own, calls must come one after another, and then any host's way will do."""
    deltas = [delta for n, pieces in enumerate(calls) for delta in pieces_of(style, n, pieces, repeats_name=False)]
    assert read(deltas) == expected(calls, ids=style is not by_nothing)
