"""`onellm chat` with a prompt: one answer."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from command_line import Ran
from loopback import Answer, Loopback, Recorded, type_sse
from openai_host import chat_answer, held_open

Run = Callable[..., Awaitable[Ran]]
Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.mark.usefixtures("openai_set")
async def test_an_answer_is_streamed(onellm: Run, host: Loopback) -> None:
    """The default model of the provider that has a key is asked, as a stream, and the text ends with a line end."""
    assert await onellm("chat", "Hello there") == Ran(0, "You said: Hello there\n", "")
    [request] = host.requests
    assert request.headers["authorization"] == "Bearer sk-secret-1"
    assert request.json["model"] == "gpt-5.4-mini"
    assert request.json["stream"] is True
    assert request.json["messages"] == [{"role": "user", "content": "Hello there"}]
    assert "temperature" not in request.json


@pytest.mark.usefixtures("openai_set")
async def test_options_are_sent(onellm: Run, host: Loopback) -> None:
    ran = await onellm("chat", "-m", "gpt-x", "-s", "Be brief", "--temperature", "0", "--max-tokens", "9", "Hi")
    assert ran == Ran(0, "You said: Hi\n", "")
    sent = host.requests[0].json
    assert (sent["model"], sent["temperature"], sent["max_completion_tokens"]) == ("gpt-x", 0, 9)
    assert sent["messages"] == [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]


@pytest.mark.usefixtures("openai_set")
async def test_no_stream_asks_for_a_whole_answer(onellm: Run, host: Loopback) -> None:
    assert await onellm("chat", "--no-stream", "Hi") == Ran(0, "You said: Hi\n", "")
    assert not host.requests[0].json.get("stream")


@pytest.mark.usefixtures("openai_set")
async def test_json_is_the_whole_answer(onellm: Run) -> None:
    ran = await onellm("chat", "--json", "Hi")
    reply = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert reply["choices"][0]["message"]["content"] == "You said: Hi"
    assert reply["usage"]["total_tokens"] == 6


@pytest.mark.usefixtures("openai_set")
@pytest.mark.parametrize("argv", [("chat", "-"), ("chat",)])
async def test_the_prompt_comes_from_standard_input(onellm: Run, host: Loopback, argv: tuple[str, ...]) -> None:
    """With - and, where it is no terminal, without any; bytes that are no text do not stop it."""
    assert (await onellm(*argv, stdin=b"two\nlines \xff")).code == 0
    assert host.requests[0].json["messages"][0]["content"] == "two\nlines �"


@pytest.mark.usefixtures("openai_set")
async def test_an_empty_prompt_is_misuse(onellm: Run, host: Loopback) -> None:
    ran = await onellm("chat", stdin=b" \n")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("onellm chat: error: the prompt is empty\n")
    assert host.requests == []


@pytest.mark.usefixtures("openai_set")
async def test_a_cut_answer_says_so(onellm: Run) -> None:
    """An answer that reached the limit is printed, and a note goes to standard error."""
    ran = await onellm("chat", "--max-tokens", "2", "Hello there")
    assert (ran.code, ran.out) == (0, "You said:\n")
    assert ran.err == "onellm: the answer was cut: it reached the longest that was allowed\n"


@pytest.mark.usefixtures("openai_set")
@pytest.mark.parametrize("mode", [[], ["--no-stream"]])
async def test_an_empty_answer_prints_nothing(onellm: Run, host: Loopback, mode: list[str]) -> None:
    def empty(request: Recorded) -> Answer:
        if not request.json.get("stream"):
            return Answer(chunks=[{"id": "1", "object": "chat.completion", "choices": []}])
        done = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        return Answer(chunks=[f"data: {json.dumps(done)}\n\n", "data: [DONE]\n\n"], content_type=type_sse)

    host.chooses(empty)
    assert await onellm("chat", *mode, "Hi") == Ran(0, "", "")


@pytest.mark.usefixtures("openai_set")
@pytest.mark.parametrize("debug", [["--debug", "chat"], ["chat", "--debug"], ["chat"]])
async def test_an_error_is_one_line(onellm: Run, host: Loopback, debug: list[str]) -> None:
    """What the provider says and what to do, without its line ends; --debug gives the traceback before it."""
    body = {"error": {"message": "Wrong\nkey \x1b[31m", "code": "invalid_api_key"}}
    host.plays(Answer(status=401, chunks=[body]))
    ran = await onellm(*debug, "Hi")
    assert (ran.code, ran.out) == (1, "")
    *trace, line = ran.err.splitlines()
    assert line == (
        "onellm: openai/gpt-5.4-mini: Wrong key [31m (401, invalid_api_key); `onellm config` shows which key is sent"
    )
    assert ("AuthenticationError" in "".join(trace)) == ("--debug" in debug)
    assert "sk-secret" not in ran.err


@pytest.mark.usefixtures("openai_set")
async def test_a_bug_is_one_line_too(onellm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onellm.cli.chat.AsyncOneLLM", None)
    ran = await onellm("chat", "Hi")
    assert ran.code == 1
    assert ran.err == "onellm: internal error: TypeError: 'NoneType' object is not callable; --debug shows where\n"


@pytest.mark.usefixtures("openai_set")
async def test_a_long_error_is_cut(onellm: Run, host: Loopback) -> None:
    host.plays(Answer(status=400, chunks=[{"error": {"message": "x" * 5000}}]))
    ran = await onellm("chat", "Hi")
    assert len(ran.err) < 700
    assert ran.err.endswith("…\n")


async def test_a_file_names_the_model_and_its_host(onellm: Run, nothing_set: Path, host: Loopback) -> None:
    """A host that only the file knows is asked, by the model that the file names."""
    (nothing_set / "onellm.toml").write_text(
        f'chat_model = "mine/a/b"\n[providers.mine]\nbase_url = "{host.url}/v1"\napi_key = "k-1"\n'
    )
    assert (await onellm("chat", "Hi")).out == "You said: Hi\n"
    assert host.requests[0].json["model"] == "a/b"
    assert host.requests[0].headers["authorization"] == "Bearer k-1"


async def test_a_provider_without_a_model_of_its_own_asks_for_one(
    onellm: Run, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nothing_set / "onellm.toml").write_text('[providers.mine]\nbase_url = "http://127.0.0.1:1/v1"\n')
    monkeypatch.setenv("ONELLM_DEFAULT_PROVIDER", "mine")
    ran = await onellm("chat", "Hi")
    assert ran.code == 1
    assert ran.err == (
        "onellm: name a model, --model mine/…, or set ONELLM_CHAT_MODEL, or chat_model in onellm.toml; "
        "`onellm models mine` lists them\n"
    )


@pytest.mark.usefixtures("nothing_set")
async def test_a_named_model_without_a_key_is_an_error(onellm: Run) -> None:
    """Who names a model does not get another."""
    ran = await onellm("chat", "-m", "openai/gpt-x", "Hi")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("onellm: openai: no key for openai: set OPENAI_API_KEY")


# --- in a process of its own ---


@pytest.mark.usefixtures("openai_set")
async def test_ctrl_c_ends_it_quietly(start: Start, host: Loopback) -> None:
    """130, no traceback, and the provider sees the connection close. The first words were printed as they came."""
    host.chooses(held_open)
    process = await start("chat", "Hi")
    assert process.stdout is not None
    assert await process.stdout.readexactly(9) == b"You said:"
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"\n")
    async with asyncio.timeout(10):
        await host.requests[0].gone.wait()


@pytest.mark.usefixtures("openai_set")
async def test_a_closed_pipe_is_quiet(start: Start, host: Loopback) -> None:
    """As in `onellm chat … | head -1`: no traceback when nobody reads any more."""
    go_on = asyncio.Event()

    def slow(request: Recorded) -> Answer:
        answer = chat_answer(request.json)
        answer.pause = {3: go_on.wait}
        return answer

    host.chooses(slow)
    process = await start("chat", "one two three")
    assert process.stdout is not None
    assert await process.stdout.readexactly(9) == b"You said:"
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    go_on.set()
    assert process.stderr is not None
    assert await process.stderr.read() == b""
    assert await process.wait() == 141


@pytest.mark.usefixtures("openai_set")
async def test_python_m_onellm_is_the_command(start: Start) -> None:
    process = await start("chat")
    out, err = await process.communicate(b"from a pipe")
    assert (process.returncode, out, err) == (0, b"You said: from a pipe\n", b"")
