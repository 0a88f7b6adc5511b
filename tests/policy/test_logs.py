"""What the logger `onellm` is told: one record a call, and never a key."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from loopback import Answer, Loopback, streamed
from process import python
from wire.openai import ASK, BAD_REQUEST, CHAT, STREAM, USAGE

from onellm import AsyncOneLLM, BadRequestError, ConfigurationError

KEY = "sk-very-secret"
OK = Answer(chunks=[CHAT], headers={"x-request-id": "req_1"})


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """The logger has no level of its own before and after."""
    logger = logging.getLogger("onellm")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers


def client_of(loopback: Loopback, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(api_key=KEY, base_url=f"{loopback.url}/v1", **settings)


def records(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """What was logged, with no key in any of it."""
    found = [record for record in caplog.records if record.name == "onellm"]
    assert not [record for record in found if KEY in repr(vars(record)) or KEY in record.getMessage()]
    return found


async def test_a_call_is_one_record(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """Its facts are words and fields; what was said is neither."""
    loopback.plays(OK)
    async with client_of(loopback, log="info") as client:
        await client.chat.completions.create(**ASK)
    (record,) = records(caplog)
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("chat.completions.create openai/gpt-5.4-mini: answered in 0.")
    assert (record.operation, record.provider, record.model) == ("chat.completions.create", "openai", "gpt-5.4-mini")
    assert (record.request_id, record.finish_reason, record.stream) == ("req_1", "stop", False)
    assert (record.input_tokens, record.output_tokens) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])
    assert record.seconds > 0
    assert "Hello" not in repr(vars(record))
    assert "Good day" not in repr(vars(record))


async def test_an_error_is_a_warning(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """By its class, status and code; its words may quote the question."""
    loopback.plays(Answer(status=400, chunks=[BAD_REQUEST]))
    async with client_of(loopback, log="info") as client:
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(**ASK)
    (record,) = records(caplog)
    assert record.levelno == logging.WARNING
    assert (record.error, record.status_code, record.code) == ("BadRequestError", 400, "invalid_value")
    assert "robot" not in repr(vars(record))


async def test_a_stream_is_one_record_at_its_end(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """Or where it is left."""
    loopback.plays(streamed(*STREAM))
    async with client_of(loopback, log="info") as client:
        opened = await client.chat.completions.create(**ASK, stream=True)
        assert not records(caplog)
        await opened.get_final_completion()
        async with await client.chat.completions.create(**ASK, stream=True) as stream:
            await anext(stream)
    ended, left = records(caplog)
    assert ended.output_tokens == USAGE["completion_tokens"]
    assert 0 < ended.first_chunk_seconds <= ended.seconds
    assert "left in" in left.getMessage()


async def test_attempts_are_records_of_debug(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """Each, and why another follows."""
    loopback.plays(Answer(status=500), OK)
    async with client_of(loopback, log="debug") as client:
        await client.chat.completions.create(**ASK)
    first, failed, second, over = records(caplog)
    assert [record.levelname for record in (first, failed, second, over)] == ["DEBUG"] * 3 + ["INFO"]
    assert (first.attempt, second.attempt) == (1, 2)
    assert (failed.error, failed.next_model) == ("InternalServerError", "openai/gpt-5.4-mini")
    assert "Hello" not in caplog.text


async def test_content_is_there_when_asked_for(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """In one more record."""
    loopback.plays(OK)
    async with client_of(loopback, log="content") as client:
        await client.chat.completions.create(**ASK)
    *_, content = records(caplog)
    assert content.levelno == logging.DEBUG
    assert content.request.messages == ASK["messages"]
    assert "Good day to you." in content.getMessage()


async def test_nothing_is_logged_unasked(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    """Off is the default, whatever level the logger has."""
    caplog.set_level(logging.DEBUG, "onellm")
    loopback.plays(OK)
    async with client_of(loopback) as client:
        await client.chat.completions.create(**ASK)
        assert client._core._binding is None
    assert not records(caplog)


async def test_the_environment_turns_it_on(loopback: Loopback) -> None:
    """`ONELLM_LOG=info`, in a program that has set up no logging: records go to stderr."""
    loopback.plays(OK)
    code = f"""
import os, sys
os.environ["ONELLM_LOG"] = "info"
sys.stderr = sys.stdout
from onellm import OneLLM
with OneLLM(api_key="k", base_url={loopback.url + "/v1"!r}) as client:
    client.chat.completions.create(**{ASK!r})
"""
    printed = await python(code, flags=("-W", "error"))
    assert "INFO onellm: chat.completions.create openai/gpt-5.4-mini: answered in" in printed
    assert len(printed.splitlines()) == 1


async def test_records_go_where_logging_goes() -> None:
    """No handler is added where there is one."""
    code = (
        "import logging; logging.basicConfig(); from onellm import AsyncOneLLM; AsyncOneLLM(api_key='k', log='debug'); "
    )
    assert (await python(code + "print(logging.getLogger('onellm').handlers)")).strip() == "[]"


def test_a_wrong_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place that it comes from."""
    monkeypatch.setenv("ONELLM_LOG", "loud")
    with pytest.raises(ConfigurationError, match=r"log is 'loud' \(ONELLM_LOG\)"):
        AsyncOneLLM(api_key="k")
