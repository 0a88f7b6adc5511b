"""Several keys of one provider: in turn, and without those that are refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, streamed
from wire.openai import ASK, BAD_REQUEST, CHAT, INVALID_KEY, NO_QUOTA, STREAM

from onellm import (
    AsyncOneLLM,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    QuotaExceededError,
    RateLimitError,
)
from onellm.policy.keys import KeyRing
from onellm.providers.base import ProviderSettings
from onellm.providers.compatible import compatible
from onellm.types.secret import Secret

KEYS = ["sk-one-11111", "sk-two-22222", "sk-three-33333"]
OK = Answer(chunks=[CHAT])
REFUSED = Answer(status=401, chunks=[INVALID_KEY])


class Lock:
    """A host that knows some keys and not others."""

    def __init__(self, loopback: Loopback, **refusals: Answer) -> None:
        self._loopback = loopback
        self.refusals = {f"Bearer {KEYS[int(name[1:])]}": answer for name, answer in refusals.items()}
        self.good = OK
        loopback.chooses(self._choose)

    def _choose(self, request: Recorded) -> Answer:
        return self.refusals.get(request.headers["authorization"], self.good)

    @property
    def used(self) -> str:
        """The places of the keys that were used, in order."""
        return "".join(
            str(KEYS.index(request.headers["authorization"].removeprefix("Bearer ")))
            for request in self._loopback.requests
        )


def with_keys(loopback: Loopback, **settings: Any) -> AsyncOneLLM:
    return AsyncOneLLM(api_key=KEYS, base_url=f"{loopback.url}/v1", max_retries=0, **settings)


async def test_keys_are_taken_in_turn(loopback: Loopback) -> None:
    lock = Lock(loopback)
    async with with_keys(loopback) as client:
        for _ in range(5):
            await client.chat.completions.create(**ASK)
    assert lock.used == "01201"


@pytest.mark.parametrize(
    "refusal", [REFUSED, Answer(status=429, chunks=[NO_QUOTA]), Answer(status=402)], ids=["401", "quota", "402"]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_key_is_set_aside(loopback: Loopback, refusal: Answer, stream: bool) -> None:
    """The call goes on with the next at once, without a retry, and later calls leave that key out."""
    lock = Lock(loopback, k0=refusal)
    lock.good = streamed(*STREAM) if stream else OK
    async with with_keys(loopback) as client:
        for _ in range(4):
            reply: Any = await client.chat.completions.create(**ASK, stream=stream)
            if stream:
                await reply.get_final_completion()
        ring = client._core.binding().keys("openai")
        assert ring is not None
        assert ring.resting == 1
    assert lock.used == "01212"


async def test_a_key_that_asks_too_often_rests(loopback: Loopback) -> None:
    """The next is taken meanwhile; the wait is the key's and not the call's."""
    lock = Lock(loopback, k1=Answer(status=429, headers={"Retry-After": "60"}))
    async with with_keys(loopback) as client:
        for _ in range(4):
            await client.chat.completions.create(**ASK)
    assert lock.used == "01202"


async def test_a_bad_request_is_not_the_keys(loopback: Loopback) -> None:
    lock = Lock(loopback, k0=Answer(status=400, chunks=[BAD_REQUEST]))
    async with with_keys(loopback) as client:
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(**ASK)
    assert lock.used == "0"


async def test_a_file_that_was_read_is_not_sent_with_another_key(loopback: Loopback) -> None:
    """Its bytes are gone with the first."""

    async def once() -> AsyncIterator[bytes]:
        yield b"RIFF"

    lock = Lock(loopback, k0=REFUSED)
    lock.good = Answer(chunks=[{"text": "hi"}])
    async with with_keys(loopback) as client:
        with pytest.raises(AuthenticationError):
            await client.audio.transcriptions.create(model="m", file=("a.wav", once()))
        assert (await client.audio.transcriptions.create(model="m", file=("a.wav", b"RIFF"))).text == "hi"
    assert lock.used == "01"


async def test_a_provider_that_is_replaced_takes_its_keys_along(loopback: Loopback) -> None:
    """The keys of a name are those of whoever has it."""
    Lock(loopback)
    async with with_keys(loopback) as client:
        await client.chat.completions.create(**ASK)
        assert client._core.binding().keys("openai")
        client.register(compatible("openai"))
        assert client._core.binding().keys("openai") is None
        await client.chat.completions.create(**ASK)
        assert client._core.binding().keys("openai")


async def test_all_are_refused(loopback: Loopback) -> None:
    """Each is tried once a call, then the last refusal is raised. Later calls try one, which may be good again."""
    lock = Lock(loopback, k0=REFUSED, k1=REFUSED, k2=Answer(status=429, chunks=[NO_QUOTA]))
    async with with_keys(loopback) as client:
        with pytest.raises(QuotaExceededError):
            await client.chat.completions.create(**ASK)
        assert lock.used == "012"
        with pytest.raises(AuthenticationError):
            await client.chat.completions.create(**ASK)
        assert lock.used == "0120"
        lock.refusals.clear()
        await client.chat.completions.create(**ASK)
    assert lock.used == "01201"


async def test_all_rest(loopback: Loopback) -> None:
    """A limit that all keys have met is the call's: it is retried as any."""
    lock = Lock(loopback, **dict.fromkeys(("k0", "k1", "k2"), Answer(status=429)))
    async with with_keys(loopback) as client:
        with pytest.raises(RateLimitError):
            await client.chat.completions.create(**ASK)
    assert lock.used == "012"


async def test_a_key_comes_back_after_its_rest() -> None:
    now = [0.0]
    ring = KeyRing([ProviderSettings(api_key=Secret(key)) for key in KEYS], lambda: now[0])
    assert ring.refused(0, AuthenticationError("no"))
    assert ring.refused(1, RateLimitError("slow", retry_after=5.0))
    assert not ring.refused(2, BadRequestError("no"))
    assert [ring.take() for _ in range(2)] == [2, 2]
    now[0] = 6.0
    assert [ring.take() for _ in range(2)] == [1, 2]
    now[0] = 301.0
    assert sorted({ring.take() for _ in range(3)}, key=str) == [0, 1, 2]


@pytest.mark.parametrize("name", ["api_key", "api_keys"])
async def test_where_they_are_given(
    loopback: Loopback, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    lock = Lock(loopback)
    file = tmp_path / "onellm.toml"
    file.write_text(f'[providers.openai]\napi_keys = ["{KEYS[0]}", "{KEYS[1]}"]\n')
    url = f"{loopback.url}/v1"
    async with AsyncOneLLM(providers={"openai": {name: KEYS, "base_url": url}}) as client:
        for _ in range(2):
            await client.chat.completions.create(**ASK)
    monkeypatch.setenv("ONELLM_CONFIG", str(file))
    async with AsyncOneLLM(base_url=url) as client:
        for _ in range(2):
            await client.chat.completions.create(**ASK)
    assert lock.used == "0101"


@pytest.mark.parametrize("keys", [[], [""], [1], ["a b"]])
async def test_what_are_no_keys(keys: Any) -> None:
    """The message does not show them."""
    async with AsyncOneLLM(api_key=keys) as client:
        with pytest.raises(ConfigurationError) as caught:
            await client.chat.completions.create(**ASK)
    assert "a b" not in str(caught.value)
    async with AsyncOneLLM(providers={"openai": {"api_key": "k", "api_keys": ["k"]}}) as client:
        with pytest.raises(ConfigurationError):
            await client.chat.completions.create(**ASK)


async def test_keys_are_not_shown(loopback: Loopback) -> None:
    """Not by the ring, its settings, the client, an error or a preview."""
    Lock(loopback, k0=REFUSED, k1=REFUSED, k2=REFUSED)
    async with with_keys(loopback) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.chat.completions.create(**ASK)
        ring = client._core.binding().keys("openai")
        assert ring is not None
        preview = await client.chat.completions.preview(**ASK)
        shown = [repr(ring), repr(ring.settings(1)), repr(client), repr(caught.value), str(caught.value), repr(preview)]
        assert not [text for text in shown for key in KEYS if key in text]
        assert repr(ring) == "KeyRing(3 keys, 3 set aside)"
        assert "***" in preview.headers["Authorization"]
