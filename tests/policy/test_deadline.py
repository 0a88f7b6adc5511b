"""One end for all of a call, and an error that says what it passed in."""

import asyncio
import contextlib
import pickle
import socket
import time
from typing import Any

import pytest
from loopback import Answer, Loopback, soon, streamed
from threaded import Provider
from wire.openai import ASK, CHAT, PIECES, STREAM

from onellm import (
    APITimeoutError,
    AsyncOneLLM,
    ConfigurationError,
    DeadlineExceededError,
    HttpOptions,
    InvalidRequestError,
    OneLLM,
    OverloadedError,
    RateLimitError,
    RetryPolicy,
    Timeouts,
)

OK = Answer(chunks=[CHAT])
SILENT = Answer(head=False, cut="stall")
SHORT = 0.1
BUSY = Answer(status=503, chunks=[{"error": {"message": "busy"}}])


async def exceeded(doing: Any) -> DeadlineExceededError:
    with pytest.raises(DeadlineExceededError) as caught:
        await soon(doing)
    return caught.value


# --- what it passes in ---


async def test_it_passes_before_the_first_byte(client: AsyncOneLLM, loopback: Loopback) -> None:
    """The connection is closed, and nothing is tried again."""
    loopback.plays(SILENT)
    error = await exceeded(client.chat.completions.create(**ASK, deadline=SHORT))
    assert (error.phase, error.provider, error.model) == ("first_byte", "openai", "gpt-5.4-mini")
    assert "deadline" in str(error)
    assert isinstance(error, APITimeoutError)
    assert not error.retryable
    await soon(loopback.requests[0].gone.wait())
    assert len(loopback.requests) == 1


async def test_it_passes_while_a_body_is_read(client: AsyncOneLLM, loopback: Loopback) -> None:
    """A body that comes in pieces has gaps, too."""
    loopback.plays(Answer(chunks=["{", "}"], pause={1: asyncio.Event().wait}))
    assert (await exceeded(client.chat.completions.create(**ASK, deadline=0.6))).phase == "idle"


async def test_it_passes_in_a_gap_of_a_stream(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What came before is handed out. The stream's idle limit alone would have waited for minutes."""
    loopback.plays(streamed(*STREAM, pause={3: asyncio.Event().wait}))
    stream: Any = await client.chat.completions.create(**ASK, stream=True, deadline=1.0)
    seen: list[str] = []

    async def read() -> None:
        async for piece in stream.text():
            seen.append(piece)  # noqa: PERF401 - the loop raises

    assert (await exceeded(read())).phase == "idle"
    assert seen == PIECES[:2]
    await soon(loopback.requests[0].gone.wait())


async def test_it_passes_before_a_stream_begins(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(Answer(content_type="text/event-stream", cut="stall"))
    error = await exceeded(client.chat.completions.create(**ASK, stream=True, deadline=SHORT))
    assert error.phase == "first_byte"


async def test_it_passes_while_connecting() -> None:
    """A host whose queue of connections is full takes none."""
    with contextlib.ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - socket's signature
            filler.connect_ex(listening.getsockname())
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with AsyncOneLLM(api_key="k", base_url=url) as client:
            error = await exceeded(client.chat.completions.create(**ASK, deadline=SHORT))
    assert error.phase == "connect"


async def test_it_passes_while_waiting_for_a_connection(loopback: Loopback) -> None:
    """A wait for one of the connections is a wait for the first byte."""
    loopback.plays(SILENT)
    url = f"{loopback.url}/v1"
    async with AsyncOneLLM(api_key="k", base_url=url, http=HttpOptions(max_connections=1)) as client:
        first = asyncio.create_task(client.chat.completions.create(**ASK))
        await soon(loopback.wait_for_requests(1))
        assert (await exceeded(client.chat.completions.create(**ASK, deadline=SHORT))).phase == "first_byte"
        assert len(loopback.requests) == 1
        first.cancel()


async def test_a_wait_that_would_pass_it_is_not_slept(
    client: AsyncOneLLM, loopback: Loopback, waits: list[float]
) -> None:
    """The error comes at once, from the last refusal, and says that the wait is what there is no time for."""
    loopback.plays(Answer(status=429, headers={"Retry-After": "60"}))
    error = await exceeded(client.chat.completions.create(**ASK, deadline=20))
    assert error.phase == "retry_wait"
    assert type(error.__cause__) is RateLimitError
    assert "429" in str(error)
    assert not waits
    assert len(loopback.requests) == 1


async def test_our_own_wait_that_would_pass_it_is_not_slept(loopback: Loopback, waits: list[float]) -> None:
    """Likewise where the provider asks for none."""
    loopback.plays(BUSY)
    policy = RetryPolicy(max_retries=5, initial=4.0, jitter=0.0)
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", retry=policy) as client:
        error = await exceeded(client.chat.completions.create(**ASK, deadline=6))
    assert error.phase == "retry_wait"
    assert type(error.__cause__) is OverloadedError
    assert waits == [4.0]
    assert len(loopback.requests) == 2


async def test_a_wait_that_fits_is_slept(client: AsyncOneLLM, loopback: Loopback, waits: list[float]) -> None:
    """As long as the provider asks, and up to a quarter more, as without a deadline."""
    loopback.plays(Answer(status=429, headers={"Retry-After": "2"}), OK)
    assert (await client.chat.completions.create(**ASK, deadline=20)).id == CHAT["id"]
    assert len(waits) == 1
    assert 2 <= waits[0] <= 2.5


async def test_all_attempts_share_it(loopback: Loopback) -> None:
    """The second attempt has what the first has left. A limit of its own would have given it as long again."""
    loopback.plays(SILENT)
    began = time.monotonic()
    policy = RetryPolicy(max_retries=9, initial=0.0, jitter=0.0)
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", retry=policy) as client:
        limits = Timeouts(first_byte=0.2)
        error = await exceeded(client.chat.completions.create(**ASK, deadline=0.3, timeout=limits))
    assert error.phase == "first_byte"
    assert 0.28 < time.monotonic() - began < 3
    assert len(loopback.requests) == 2


async def test_a_shorter_limit_is_its_own_error(client: AsyncOneLLM, loopback: Loopback) -> None:
    """And may be tried again, as without a deadline."""
    loopback.plays(SILENT, OK)
    limits = Timeouts(first_byte=0.05)
    assert (await client.chat.completions.create(**ASK, deadline=20, timeout=limits)).id == CHAT["id"]
    loopback.plays(SILENT)
    with pytest.raises(APITimeoutError) as caught:
        await client.chat.completions.create(**ASK, deadline=20, timeout=0.05)
    assert type(caught.value) is APITimeoutError
    assert caught.value.phase == "total"


class Endless:
    """A provider that minds no limit."""

    name = "endless"
    json_mode_support = vision_support = audio_input_support = streaming_support = realtime_support = False
    function_calling_support = False

    def get_model_capabilities(self, model: str) -> dict[str, bool]:
        return {"chat_support": bool(model)}

    async def create_chat_completion(self, *_: object) -> None:
        await asyncio.Event().wait()

    async def stream_chat_completion(self, *_: object) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_minds_no_limit_is_left(client: AsyncOneLLM, stream: bool) -> None:
    """Where nobody says what was waited for, it is the whole."""
    client.register(Endless())
    ask: Any = {**ASK, "model": "endless/m"}
    error = await exceeded(client.chat.completions.create(**ask, stream=stream, deadline=SHORT))
    assert (error.phase, error.provider) == ("total", "endless")


async def test_another_s_timeout_is_not_the_deadline(client: AsyncOneLLM) -> None:
    """What a provider raises by itself passes as it is."""

    class Impatient(Endless):
        async def create_chat_completion(self, *_: object) -> None:
            raise TimeoutError("its own")

    client.register(Impatient())
    ask: Any = {**ASK, "model": "endless/m"}
    with pytest.raises(TimeoutError, match="its own"):
        await client.chat.completions.create(**ask, deadline=20)


async def test_cancelling_is_not_the_deadline(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(SILENT)
    call = asyncio.create_task(client.chat.completions.create(**ASK, deadline=20))
    await soon(loopback.wait_for_requests(1))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await soon(loopback.requests[0].gone.wait())


# --- where it is given ---


async def test_the_client_has_one_for_every_call(loopback: Loopback) -> None:
    """Each call has all of it; the call's own goes before."""
    loopback.plays(SILENT)
    async with AsyncOneLLM(api_key="k", base_url=f"{loopback.url}/v1", deadline=SHORT) as client:
        await exceeded(client.chat.completions.create(**ASK))
        await exceeded(client.embeddings.create(model="m", input="a"))
        await exceeded(client.models.list().first())
        loopback.plays(OK)
        assert (await client.chat.completions.create(**ASK, deadline=20)).id == CHAT["id"]


async def test_parts_of_one_call_share_it(client: AsyncOneLLM, loopback: Loopback) -> None:
    """More inputs than one request takes are one call."""
    data = [{"index": index, "embedding": [0.5]} for index in range(2048)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    first = Answer(chunks=[{"object": "list", "data": data, "model": "m", "usage": usage}])
    loopback.chooses(lambda request: first if len(request.json["input"]) == 2048 else SILENT)
    error = await exceeded(client.embeddings.create(model="m", input=["a"] * 2049, deadline=1.0))
    assert error.phase == "first_byte"


async def test_asking_again_for_a_type_shares_it(client: AsyncOneLLM, loopback: Loopback) -> None:
    """What does not fit is asked for again in the time that is left."""

    async def most_of_it() -> None:
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.5)

    loopback.plays(Answer(chunks=[CHAT], pause={0: most_of_it}), SILENT)
    began = time.monotonic()
    call = client.chat.completions.parse(**ASK, response_format=dict, retries_on_invalid=3, deadline=0.6)
    assert (await exceeded(call)).phase == "first_byte"
    assert time.monotonic() - began < 1.0
    assert len(loopback.requests) == 2


async def test_parts_of_a_file_share_it(client: AsyncOneLLM, loopback: Loopback) -> None:
    upload = {"id": "upload_1", "object": "upload", "status": "pending"}
    answers = {"uploads": Answer(chunks=[upload]), "parts": SILENT, "cancel": Answer(chunks=[upload])}
    loopback.chooses(lambda request: answers[request.path.rpartition("/")[2]])
    call = client.files.create(file=b"x" * 10, purpose="user_data", part_size=5, deadline=SHORT)
    assert (await exceeded(call)).phase == "first_byte"


async def test_a_pull_minds_its_own_alone(loopback: Loopback) -> None:
    """Models are large: the client's deadline is for what is asked of them."""
    progress = Answer(chunks=['{"status": "success"}\n'], content_type="application/x-ndjson")
    loopback.plays(progress)
    async with AsyncOneLLM(providers={"ollama": {"base_url": loopback.url}}, deadline=1e-6) as client:
        assert (await client.models.pull("ollama/m")).status == "success"
        await exceeded(client.models.pull("ollama/m", deadline=1e-6))


@pytest.mark.parametrize("deadline", [0, -1, "x", True])
async def test_what_is_no_deadline(client: AsyncOneLLM, loopback: Loopback, deadline: Any) -> None:
    with pytest.raises(InvalidRequestError, match="deadline"):
        await client.chat.completions.create(**ASK, deadline=deadline)
    with pytest.raises(InvalidRequestError, match="deadline"):
        await client.chat.completions.parse(**ASK, response_format=dict, deadline=deadline)
    with pytest.raises(ConfigurationError, match="deadline"):
        AsyncOneLLM(deadline=deadline)
    assert not loopback.requests


async def test_an_end_may_be_shared_by_calls(client: AsyncOneLLM, loopback: Loopback) -> None:
    """`Timeouts(until=...)` is a point in time: what has several calls to make gives it to each."""
    loopback.plays(SILENT)
    limits = Timeouts(until=time.monotonic() + SHORT)
    for _ in range(2):
        await exceeded(client.chat.completions.create(**ASK, timeout=limits))
    assert len(loopback.requests) <= 2


async def test_the_error_pickles_with_its_phase(client: AsyncOneLLM, loopback: Loopback) -> None:
    loopback.plays(SILENT)
    error = await exceeded(client.chat.completions.create(**ASK, deadline=SHORT))
    assert pickle.loads(pickle.dumps(error)).phase == "first_byte"  # noqa: S301 - our own bytes


def test_it_ends_a_blocking_call() -> None:
    with contextlib.closing(Provider()) as provider:
        provider.loopback.plays(SILENT)
        url = f"{provider.loopback.url}/v1"
        with OneLLM(api_key="k", base_url=url) as client, pytest.raises(DeadlineExceededError):
            client.chat.completions.create(**ASK, deadline=SHORT)
