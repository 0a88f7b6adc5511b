"""What Replicate's own package sends for a run, and what we send for the same call: captured by one server, compared.

The package is in the extra `oracle`. We read the model's description first, once a client, and the package does not.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Loopback, Recorded
from replicate_host import INPUT, model, plays, prediction

from onellm import AsyncOneLLM
from onellm.errors import APITimeoutError

replicate: Any = pytest.importorskip("replicate", reason="needs the package replicate (extra: oracle)")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydantic's, inside the package

ASK: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rome?"}]
SAID = {"prompt": "Rome?", "system_prompt": "Be brief.", "temperature": 0.5}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


@pytest.fixture
async def client(server: Loopback) -> AsyncIterator[Any]:
    """The package's, which does not close its connections by itself."""
    made = replicate.Client(api_token="r8_1", base_url=server.url)
    yield made
    await made._async_client.aclose()  # it has no other way


def check(ours: Recorded, theirs: Recorded) -> None:
    """Method, path, key and JSON are equal, and how long the host may hold its answer back."""
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    assert ours.headers.get("prefer") == theirs.headers.get("prefer")
    assert (ours.json if ours.body else None) == (theirs.json if theirs.body else None)


@pytest.mark.parametrize("name", ["acme/m", f"acme/m:{'a' * 64}"])
async def test_a_run(server: Loopback, client: Any, name: str) -> None:
    """Begun by name or by version, then looked at."""
    plays(server, model(INPUT), prediction(server, "starting"), [prediction(server, "succeeded", "x")])
    owner_and_name, _, version = name.partition(":")
    if version:
        begun = await client.predictions.async_create(version=version, input=SAID, wait=True)
    else:
        begun = await client.models.predictions.async_create(model=owner_and_name, input=SAID, wait=True)
    await begun.async_reload()
    theirs = list(server.requests)
    async with _ours(server) as own:
        await own.chat.completions.create(model=f"replicate/{name}", messages=ASK, temperature=0.5)
    described, *ours = server.requests[len(theirs) :]
    assert described.method == "GET"
    assert len(ours) == len(theirs) == 2
    for pair in zip(ours, theirs, strict=True):
        check(*pair)


async def test_a_stream(server: Loopback, client: Any) -> None:
    """The package leaves the counts that we ask for at the end."""
    plays(server, model(INPUT), prediction(server, "starting", stream=True), [prediction(server, "succeeded", "x")])
    begun = await client.models.predictions.async_create(model="acme/m", input=SAID, stream=True)
    async for _ in begun.async_stream():
        pass
    theirs = list(server.requests)
    async with _ours(server) as own:
        stream = await own.chat.completions.create(model="replicate/acme/m", messages=ASK, temperature=0.5, stream=True)
        await stream.get_final_completion()
    _, create, read, _ = server.requests[len(theirs) :]
    check(create, theirs[0])
    check(read, theirs[1])
    assert read.headers["accept"] == theirs[1].headers["accept"]


async def test_cancelling(server: Loopback, client: Any) -> None:
    plays(server, model(INPUT), prediction(server, "starting"), [prediction(server, "processing")])
    await client.predictions.async_cancel("p1")
    async with _ours(server) as own:
        with pytest.raises(APITimeoutError):
            await own.chat.completions.create(model="replicate/acme/m", messages=ASK, timeout=0.1)
    check(server.requests[-1], server.requests[0])


def _ours(server: Loopback) -> AsyncOneLLM:
    settings = {"api_key": "r8_1", "base_url": server.url, "options": {"poll_interval": 0.0001}}
    return AsyncOneLLM(providers={"replicate": settings})
