"""The parts of pipelines by themselves: packing, what is remembered, sources, what failures mean."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onellm import errors
from onellm.errors import FallbackError, OneLLMError
from onellm.pipeline.failures import blames_input, is_final, may_pass
from onellm.pipeline.packing import Packer, measure
from onellm.pipeline.recent import Recent
from onellm.pipeline.requests import same
from onellm.pipeline.sources import pieces
from onellm.pipeline.window import Job, Window


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 200))),
    st.integers(1, 6),
    st.none() | st.integers(1, 60),
    st.none() | st.integers(1, 250),
)
def test_no_request_is_larger_than_it_may_be(
    sizes: list[tuple[int, int]], items: int, tokens: int | None, size: int | None
) -> None:
    """But one of a single input; and none could have taken the next one."""
    packer = Packer(items=items, tokens=tokens, size=size)
    packs: list[list[tuple[int, int]]] = [[]]
    for one in sizes:
        if not packer.fits(*one):
            packs.append([])
            packer.clear()
        packer.add(*one)
        packs[-1].append(one)

    def is_over(pack: list[tuple[int, int]]) -> bool:
        sums = [sum(column) for column in zip(*pack, strict=True)] or [0, 0]
        return len(pack) > items or (tokens is not None and sums[0] > tokens) or (size is not None and sums[1] > size)

    assert [one for pack in packs for one in pack] == sizes
    assert not [pack for pack in packs if len(pack) > 1 and is_over(pack)]
    assert all(is_over([*pack, following[0]]) for pack, following in pairwise(packs))


@pytest.mark.parametrize(("item", "found"), [("abcd", (2, 4)), ("北京", (2, 6)), ([1, 2, 3], (3, 21)), ("", (0, 0))])
def test_tokens_and_bytes_are_estimated(item: str | list[int], found: tuple[int, int]) -> None:
    assert measure(item) == found


def test_what_was_asked_for_last_is_remembered() -> None:
    """As much as there is room for: 512 bytes an entry, and its text and numbers."""
    vector = array("f", [1.0] * 10)
    recent = Recent(3 * (512 + 4 * 1 + 40))
    for key in "abc":
        recent.put(key, vector)
    assert recent.get("a") is vector
    recent.put("d", vector)
    assert [key for key in "abcd" if recent.get(key) is None] == ["b"]
    recent.put("e" * 400, vector)  # takes the room of three
    assert [key for key in "abcd" if recent.get(key) is None] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("kind", "meaning"),
    {
        "BadRequestError": "input",
        "ContextLengthExceededError": "input",
        "ContentFilterError": "input",
        "RequestTooLargeError": "input",
        "UnprocessableEntityError": "input",
        "ResponseDecodeError": "input",
        "RateLimitError": "passes",
        "OverloadedError": "passes",
        "APITimeoutError": "passes",
        "DeadlineExceededError": "passes",
        "CircuitOpenError": "passes",
        "ConflictError": "passes",
        "QuotaExceededError": "neither",
        "AuthenticationError": "neither",
        "NotFoundError": "neither",
        "MissingKeyError": "neither",
    }.items(),
)
def test_what_a_failure_means(kind: str, meaning: str) -> None:
    exc: OneLLMError = getattr(errors, kind)("why")
    assert (blames_input(exc), may_pass(exc)) == (meaning == "input", meaning == "passes")
    assert is_final(exc) is (meaning == "input")


def test_where_all_have_failed_each_of_them_counts() -> None:
    """One that may pass makes the whole worth another try; it is the input's fault where all say so."""

    def of(*failed: OneLLMError) -> FallbackError:
        exc = FallbackError("all")
        exc.errors = failed
        return exc

    refused, busy, wrong_key = errors.BadRequestError("a"), errors.RateLimitError("b"), errors.AuthenticationError("c")
    assert [(blames_input(exc), may_pass(exc)) for exc in (of(refused, refused), of(refused, busy), of(wrong_key))] == [
        (True, False),
        (False, True),
        (False, False),
    ]


def test_how_a_request_is_sent_does_not_tell_it_from_others() -> None:
    how = {"timeout": 5, "max_retries": 0, "deadline": 9, "priority": 1, "fallback_models": ["a/b"], "share": True}
    asks = {"model": "openai/m", "temperature": 0, "extra_body": {"a": 1}}
    assert same({**how, **asks, "top_p": None}) == asks


async def test_a_list_is_read_where_it_is() -> None:
    assert [list(piece) async for piece in pieces(list(range(2500)))] == [
        list(range(1024)),
        list(range(1024, 2048)),
        list(range(2048, 2500)),
    ]
    nothing: tuple[int, ...] = ()
    assert [piece async for piece in pieces(nothing)] == []


class _Ends:
    """An iterator whose method raises what ends it, where it should give an item."""

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        return next(iter(()))


async def test_an_iterator_of_ones_own_ends_as_any() -> None:
    assert [piece async for piece in pieces(_Ends())] == []


async def test_what_a_generators_cleanup_raises_is_nobodys() -> None:
    def source() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise ValueError("cleaning up")

    read = pieces(source())
    async for _ in read:
        break
    await read.aclose()


async def test_a_window_that_was_not_begun_is_closed() -> None:
    async def jobs() -> AsyncGenerator[Job[int], None]:
        for job in list[Job[int]]():
            yield job

    window: Window[int] = Window(jobs(), size=1, ordered=True)
    await window.aclose()
    with pytest.raises(StopAsyncIteration):
        await window.next()
    window.abandon()


async def test_a_job_that_fails_cancels_the_others() -> None:
    cancelled = asyncio.Event()

    async def fails() -> int:
        raise ValueError("no")

    async def waits() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return 1

    async def jobs() -> AsyncGenerator[Job[int], None]:
        yield fails
        yield waits
        await asyncio.Event().wait()

    window: Window[int] = Window(jobs(), size=4, ordered=True)
    with pytest.raises(ValueError, match="no"):
        await window.next()
    assert cancelled.is_set()
