"""The blocking client against a provider on loopback, which runs in a thread of its own."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from loopback import Answer, Recorded, sse, type_sse
from threaded import SECONDS, Provider

from onellm import (
    ChatCompletionStream,
    ClientClosedError,
    HttpOptions,
    InvalidRequestError,
    NotFoundError,
    OneLLM,
    RateLimitError,
    StreamInterruptedError,
)
from onellm._sync.portal import run

ROOT = Path(__file__).parents[2]
THREADS = 32


posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and fork")


def completion(text: str) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}],
    }


WORDS = ["One", " two", " three"]
STREAM = Answer(content_type=type_sse, chunks=sse(*map(chunk, WORDS), chunk("", "stop")))
STALLED = Answer(content_type=type_sse, chunks=sse(*map(chunk, WORDS), done=False), cut="stall")
WHOLE = Answer(chunks=[completion("Hi")])


def open_stream(client: OneLLM) -> ChatCompletionStream:
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}], stream=True)


def ask(client: OneLLM, text: str = "Hello") -> str | None:
    reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return reply.choices[0].message.content


# Calls


def test_chat(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(WHOLE)
    reply = client.chat.completions.create(
        model="openai/gpt-5.4-mini", messages=[{"role": "user", "content": "Hello"}], temperature=0.5
    )
    assert (reply.choices[0].message.content, reply.provider) == ("Hi", "openai")
    (request,) = provider.loopback.requests
    assert (request.path, request.headers["authorization"]) == ("/v1/chat/completions", "Bearer k")
    assert request.json == {
        "model": "gpt-5.4-mini",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.5,
    }


def test_embeddings(provider: Provider, client: OneLLM) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    provider.loopback.plays(Answer(chunks=[{"object": "list", "data": [vector], "model": "m", "usage": usage}]))
    reply = client.embeddings.create(model="m", input="Hello")
    assert list(reply.data[0].embedding) == [0.5, -1.0]
    assert provider.loopback.requests[0].path == "/v1/embeddings"
    assert provider.loopback.requests[0].json["input"] == "Hello"


def test_models(provider: Provider, client: OneLLM) -> None:
    model = {"id": "m", "object": "model", "created": 1, "owned_by": "x"}
    provider.loopback.plays(Answer(chunks=[{"object": "list", "data": [model]}]), Answer(chunks=[model]))
    assert [found.id for found in client.models.list()] == ["m"]
    assert client.models.retrieve("openai/m").id == "m"
    assert client.models.capabilities("openai/m").streaming
    assert [request.path for request in provider.loopback.requests] == ["/v1/models", "/v1/models/m"]


def test_errors_keep_their_type(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(status=404, chunks=[{"error": {"message": "no", "code": "model_not_found"}}]))
    with pytest.raises(NotFoundError) as caught:
        ask(client)
    assert (caught.value.provider, caught.value.model) == ("openai", "m")
    provider.loopback.plays(Answer(status=429, chunks=[{"error": {"message": "slow down"}}]))
    with pytest.raises(RateLimitError):
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}], max_retries=0)
    with pytest.raises(InvalidRequestError):
        client.chat.completions.create(model="m", messages=[])
    assert len(provider.loopback.requests) == 2


def test_a_closed_client_refuses_calls(provider: Provider) -> None:
    provider.loopback.plays(WHOLE)
    with OneLLM(api_key="k", base_url=provider.loopback.url, http=HttpOptions(proxy="")) as client:
        assert ask(client) == "Hi"
    provider.gone()
    with pytest.raises(ClientClosedError):
        ask(client)


def test_repr_names_the_class() -> None:
    assert repr(OneLLM(default_provider="groq")) == "OneLLM(default_provider='groq')"


def test_namespaces_are_attributes(client: OneLLM) -> None:
    assert client.chat is client.chat
    assert client.chat.completions is client.chat.completions


# Streams


def test_a_stream_gives_its_chunks(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(STREAM)
    with open_stream(client) as stream:
        assert isinstance(stream, ChatCompletionStream)
        assert [part.choices[0].delta.content for part in stream] == [*WORDS, ""]
        assert list(stream) == []
        assert stream.get_final_completion().choices[0].message.content == "One two three"
    assert provider.loopback.requests[0].json["stream"] is True


def test_text_and_the_rest(provider: Provider, client: OneLLM) -> None:
    """What was not iterated over is still in the final answer, and is not handed out after it."""
    provider.loopback.plays(STREAM)
    with open_stream(client) as stream:
        assert next(iter(stream.text())) == "One"
        assert stream.get_final_completion().choices[0].message.content == "One two three"
        assert list(stream) == []
    with open_stream(client) as stream:
        assert list(stream.text()) == WORDS


def test_iterating_again_goes_on(provider: Provider, client: OneLLM) -> None:
    """Whichever way the items are taken, each is handed out once."""
    provider.loopback.plays(Answer(content_type=type_sse, chunks=[b"".join(STREAM.chunks)]))
    with open_stream(client) as stream:
        assert next(stream).choices[0].delta.content == "One"
        for piece in stream.text():
            assert piece == " two"
            break
        assert [part.choices[0].delta.content for part in stream.next_chunks()] == [" three", ""]
        assert stream.next_chunks() == ()


def test_one_hop_for_a_read(provider: Provider, client: OneLLM) -> None:
    """A thousand chunks of a single network read do not take a thousand tasks in the loop thread."""
    provider.loopback.plays(
        Answer(content_type=type_sse, chunks=[b"".join(sse(*[chunk("x")] * 1000, chunk("", "stop")))])
    )
    tasks = 0

    def count(loop: asyncio.AbstractEventLoop, work: Any, **given: Any) -> asyncio.Task[Any]:
        nonlocal tasks
        tasks += 1
        return asyncio.Task(work, loop=loop, **given)

    async def counts(factory: Any) -> None:
        asyncio.get_running_loop().set_task_factory(factory)

    with open_stream(client) as stream:
        run(counts(count))
        try:
            assert "".join(stream.text()) == "x" * 1000
        finally:
            run(counts(None))
    # The body of some 150 kB comes in several reads.
    assert 1 < tasks < 50


def test_a_broken_loop_closes_the_connection(provider: Provider, client: OneLLM) -> None:
    """The last reference goes with the loop; the thread is not the one that has opened the connection."""
    provider.loopback.plays(STALLED)
    for part in open_stream(client):
        assert part.choices[0].delta.content == "One"
        break
    gc.collect()
    provider.gone()


def test_breaking_off_text_closes_the_connection(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(STALLED)
    for piece in open_stream(client).text():
        assert piece == "One"
        break
    provider.gone()


def test_an_exception_inside_with_closes_the_connection(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(STALLED)
    stream = open_stream(client)
    with pytest.raises(ZeroDivisionError), stream:
        assert next(stream).id.index("c") / 0
    provider.gone()
    assert list(stream) == []


@pytest.mark.parametrize("how", ["close", "close_now"])
def test_closing(provider: Provider, client: OneLLM, how: str) -> None:
    """What has come and was not read is dropped, and the final answer is an error, not a part of one."""
    provider.loopback.plays(STALLED)
    stream = open_stream(client)
    next(stream)
    getattr(stream, how)()
    provider.gone()
    assert list(stream) == []
    with pytest.raises(StreamInterruptedError):
        stream.get_final_completion()


def test_a_cut_stream_is_an_error(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(Answer(content_type=type_sse, chunks=sse(chunk("One"), done=False)))
    stream = open_stream(client)
    assert next(stream).choices[0].delta.content == "One"
    for _ in range(2):
        with pytest.raises(StreamInterruptedError):
            next(stream)


# Threads and loops


async def test_inside_a_running_event_loop(provider: Provider, client: OneLLM) -> None:
    """As in a notebook, whose cells run in a loop."""
    provider.loopback.plays(STREAM)
    assert list(open_stream(client).text()) == WORDS
    provider.loopback.plays(WHOLE)
    assert ask(client) == "Hi"


def test_many_threads_share_a_client(provider: Provider, client: OneLLM) -> None:
    """Each gets its own answer, and they are on the way together."""

    def echo(request: Recorded) -> Answer:
        async def until_all_are_here() -> None:
            await provider.loopback.wait_for_requests(THREADS)

        text = request.json["messages"][0]["content"]
        if request.json.get("stream"):
            return Answer(content_type=type_sse, chunks=sse(chunk(text, "stop")), pause={0: until_all_are_here})
        return Answer(chunks=[completion(text)], pause={0: until_all_are_here})

    def work(number: int) -> str | None:
        if number % 2:
            return ask(client, str(number))
        with client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": str(number)}], stream=True
        ) as stream:
            return "".join(stream.text())

    provider.loopback.chooses(echo)
    with ThreadPoolExecutor(THREADS) as threads:
        assert list(threads.map(work, range(THREADS))) == [str(number) for number in range(THREADS)]
    assert provider.loopback.connections == THREADS


def test_a_stream_may_be_read_in_another_thread(provider: Provider, client: OneLLM) -> None:
    provider.loopback.plays(STREAM)
    stream = open_stream(client)
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: list(stream.text())).result() == WORDS


# Processes

PRELUDE = """
import asyncio, gc, math, os, sys, threading
from onellm import HttpOptions, OneLLM, StreamInterruptedError
from onellm._sync import portal

def patient_loop():
    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = math.inf  # in development mode asyncio reports on slow machines
    return loop

portal.loop_factory = patient_loop
client = OneLLM(api_key="k", base_url=sys.argv[1], http=HttpOptions(proxy=""))

def ask(**how):
    return client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hello"}], **how)

def when_waiting(callback, turns=10):
    "Call it in the loop thread when there is a call that has got as far as its wait for the socket."
    loop = asyncio.get_running_loop()
    if not turns:
        callback()
    else:
        loop.call_soon(when_waiting, callback, turns - bool(asyncio.all_tasks(loop)))
"""


def start(provider: Provider, script: str) -> subprocess.Popen[str]:
    """An interpreter in development mode, where every warning is an error."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-X", "dev", "-W", "error", "-c", PRELUDE + dedent(script), provider.loopback.url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    """Let it go on to its end, and give the lines it has printed; it must have written nothing to stderr."""
    alarm = threading.Timer(SECONDS, process.kill)
    alarm.start()
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.close()
        out, err = process.stdout.read(), process.stderr.read()
    alarm.cancel()
    assert err == ""
    assert process.returncode == 0, "killed by the alarm: it hangs" if process.returncode == -9 else out
    return out.splitlines()


def test_import_is_cheap() -> None:
    """The facade is imported when it is named, aiohttp at the first request, and no thread starts before that."""
    script = """
    import sys, threading
    import onellm
    assert not [name for name in sys.modules if name.startswith("onellm._sync")]
    onellm.OneLLM
    assert "onellm._sync.client" in sys.modules
    onellm.OneLLM(api_key="k")
    print("aiohttp" in sys.modules, "onellm._sync.generate" in sys.modules, threading.active_count())
    """
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", dedent(script)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert finish(process) == ["False False 1"]


@posix
@pytest.mark.parametrize(
    ("answer", "call"),
    [
        (Answer(pause={0: asyncio.Event().wait}), "ask()"),
        (Answer(content_type=type_sse, pause={0: asyncio.Event().wait}), "ask(stream=True)"),
    ],
    ids=["whole", "stream"],
)
def test_ctrl_c_during_a_stalled_request(provider: Provider, answer: Answer, call: str) -> None:
    """KeyboardInterrupt is raised at once and the connection is closed, while the process lives on."""
    provider.loopback.plays(answer, WHOLE)
    process = start(
        provider,
        f"""
        try:
            {call}
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        sys.stdin.read()
        print(ask().choices[0].message.content)
        """,
    )
    assert process.stdout is not None
    provider.arrived()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    provider.gone()
    assert finish(process) == ["Hi"]


@posix
def test_ctrl_c_in_a_stalled_stream(provider: Provider) -> None:
    """The connection is closed, and going on with the stream is an error, not its end."""
    provider.loopback.plays(STALLED)
    process = start(
        provider,
        """
        stream = ask(stream=True)
        for _ in range(3):
            print(next(stream).choices[0].delta.content, flush=True)
        portal.post(when_waiting, lambda: print("reading", flush=True))
        try:
            next(stream)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        sys.stdin.read()
        try:
            next(stream)
        except StreamInterruptedError:
            print("an error")
        """,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(4)] == ["One\n", " two\n", " three\n", "reading\n"]
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    provider.gone()
    assert finish(process) == ["an error"]


@posix
def test_after_fork(provider: Provider) -> None:
    """Parent and child use the same client, each over connections of its own."""
    provider.loopback.plays(WHOLE)
    process = start(
        provider,
        """
        def hello(who):
            print(who, ask().choices[0].message.content, flush=True)

        hello("parent")
        if sys.version_info >= (3, 12):
            import warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of any fork where there are threads
        if (pid := os.fork()) == 0:
            hello("child")
            hello("child")
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        hello("parent")
        """,
    )
    assert finish(process) == ["parent Hi", "child Hi", "child Hi", "parent Hi"]
    assert [request.connection for request in provider.loopback.requests] == [1, 2, 2, 1]


@posix
def test_a_stream_of_the_parent_goes_on_after_a_fork(provider: Provider) -> None:
    """Letting go of it in the child does not close the parent's connection."""
    released = asyncio.Event()
    provider.loopback.plays(
        Answer(content_type=type_sse, chunks=STREAM.chunks, pause={1: released.wait}),
    )
    process = start(
        provider,
        """
        stream = ask(stream=True)
        print(next(stream.text()), flush=True)
        if sys.version_info >= (3, 12):
            import warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of any fork where there are threads
        if (pid := os.fork()) == 0:
            stream.close_now()
            del stream
            gc.collect()
            sys.exit()
        assert os.waitpid(pid, 0)[1] == 0
        print("the child is gone", flush=True)
        print("".join(stream.text()))
        """,
    )
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["One\n", "the child is gone\n"]
    provider.do(_set(released))
    assert finish(process) == [" two three"]


async def _set(event: asyncio.Event) -> None:
    event.set()


READING_THREAD = """
def read():
    stream = ask(stream=True)
    for _ in range(3):
        next(stream)
    portal.post(when_waiting, reading.set)
    next(stream)

reading = threading.Event()
threading.Thread(target=read, daemon=True).start()
reading.wait()
"""


@pytest.mark.parametrize(
    "script",
    [
        "ask()",
        "stream = ask(stream=True); next(stream)",
        "stream = ask(stream=True); next(stream); text = stream.text(); next(text)",
        "from onellm import *; keep = [ask(stream=True)]; keep.append(keep)",
        "client.kept = client; client.stream = ask(stream=True); next(client.stream)",
        READING_THREAD,
        "threading.Thread(target=lambda: list(ask(stream=True)), daemon=True).start(); sys.stdin.read()",
        "ask(); del client",
        "stream = ask(stream=True); next(stream); client.close()",
        "stream = ask(stream=True); next(stream); del client; gc.collect(); next(stream)",
    ],
)
def test_exit_without_closing_is_silent(provider: Provider, script: str) -> None:
    """Nothing is reported of connections, streams and clients that are open when the interpreter ends."""
    provider.loopback.plays(STALLED if "stream=True" in script else WHOLE)
    process = start(provider, script)
    provider.arrived()
    assert finish(process) == []
    provider.gone()
