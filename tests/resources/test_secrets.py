"""A key goes into one header of one request, and is seen nowhere else."""

import logging
import pickle
import traceback
from pathlib import Path

import pytest
from loopback import Answer, Loopback, streamed
from wire.openai import ASK, CHAT, INVALID_KEY, RATE_LIMIT, STREAM, chunk

from onellm import AsyncOneLLM, ConfigurationError, OneLLMError


async def test_key_is_sent_and_shown_nowhere(
    client: AsyncOneLLM, loopback: Loopback, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the `repr` of the client or its settings, not in an error or its traceback, not in a log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    shown: list[object] = [client, client.chat, client._core, client._core.config]
    loopback.plays(
        Answer(status=401, chunks=[INVALID_KEY]),
        Answer(status=429, chunks=[RATE_LIMIT]),
        Answer(status=302, headers={"Location": "https://example.com"}),
        Answer(head=False, cut="close"),
        Answer(chunks=["{"]),
        streamed(*STREAM[:2], done=False),
    )
    errors: list[OneLLMError] = []
    for stream in (False, False, False, False, False, True):
        try:
            answer = await client.chat.completions.create(**ASK, stream=stream, max_retries=0)
            if stream:
                await answer.get_final_completion()  # type: ignore[union-attr]
        except OneLLMError as exc:
            errors.append(exc)
    assert len(errors) == 6
    loopback.plays(Answer(status=500), Answer(chunks=[CHAT]))
    shown.append(await client.chat.completions.create(**ASK))
    bound = client._core.bind("openai")
    shown += [bound, bound.settings, bound.settings.api_key, client._core.transport, vars(client._core.transport)]
    for error in errors:
        shown += [error, str(error), vars(error), pickle.dumps(error), "".join(traceback.format_exception(error))]
    assert [request.headers["authorization"] for request in loopback.requests] == [f"Bearer {key}"] * 8
    assert caplog.records
    shown += [caplog.text, [vars(record) for record in caplog.records]]
    assert [text for text in map(repr, shown) if key in text] == []


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-sec ret", "sk-secret\r\nX-Evil: 1", "sk-sécret", "sk-secret\x7f"])
async def test_key_that_cannot_be_one_is_refused(loopback: Loopback, key: str) -> None:
    """Before anything is sent, and without showing it."""
    async with AsyncOneLLM(api_key=key, base_url=loopback.url) as client:
        with pytest.raises(ConfigurationError, match="copy the key again") as caught:
            await client.chat.completions.create(**ASK)
    async with AsyncOneLLM(api_key=lambda: key, base_url=loopback.url) as client:
        with pytest.raises(ConfigurationError, match="copy the key again"):
            await client.chat.completions.create(**ASK)
    assert "sk-" not in str(caught.value)
    assert loopback.requests == []


async def test_file_and_headers_are_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings from a file, headers and proxies may hold secrets too."""
    (tmp_path / "onellm.toml").write_text(
        '[providers.openai]\napi_key = "secret-1"\nheaders = {"X-Key" = "secret-2"}\nproxy = "http://me:secret-3@host"\n'
    )
    monkeypatch.setenv("ONELLM_CONFIG", str(tmp_path / "onellm.toml"))
    async with AsyncOneLLM(default_headers={"X-Other": "secret-4"}) as client:
        bound = client._core.bind("openai")
        shown = [client, client._core.config, bound, bound.settings]
    assert bound.settings.headers == {"X-Key": "secret-2", "X-Other": "secret-4"}
    assert bound.settings.proxy == "http://me:secret-3@host"
    assert "secret-" not in repr(shown)


async def test_query_is_in_no_error(loopback: Loopback) -> None:
    """Some hosts take their key there."""
    secret = {"key": "very-secret"}
    loopback.plays(
        Answer(head=False, chunks=[b"nonsense\r\n\r\n"], cut="close", length=0),
        Answer(head=False, cut="close"),
        Answer(head=False, cut="stall"),
        Answer(status=500),
        streamed(chunk({"content": "x"}), done=False, cut="reset"),
    )
    async with AsyncOneLLM(api_key="k", base_url=loopback.url, max_retries=0) as client:
        for _ in range(5):
            with pytest.raises(OneLLMError) as caught:
                async with await client.chat.completions.create(
                    **ASK, stream=True, extra_query=secret, timeout=0.2
                ) as answer:
                    await answer.get_final_completion()
            text = "".join(traceback.format_exception(caught.value))
            assert "very-secret" not in text
    assert [request.query for request in loopback.requests] == [secret] * 5
