"""What Replicate's own package sends for a run, and what we send for the same call: captured by one server, compared.

The package is in the extra `oracle`. We read the model's description first, once a client, and the package does not.
"""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from forms import fields, files
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


async def test_a_deployment(server: Loopback, client: Any) -> None:
    """The package reads the deployment first, as we do; we then read the description of the version that it runs."""
    plays(server, model(INPUT), prediction(server, "starting"), [prediction(server, "succeeded", "x")])
    deployment = await client.deployments.async_get("team/live")
    begun = await deployment.predictions.async_create(input=SAID, wait=True)
    await begun.async_reload()
    theirs = list(server.requests)
    async with _ours(server) as own:
        await own.chat.completions.create(model="replicate/deployments/team/live", messages=ASK, temperature=0.5)
    read, described, *ours = server.requests[len(theirs) :]
    assert (described.method, described.path) == ("GET", f"/v1/models/acme/m/versions/{'e' * 64}")
    assert len(theirs) == 3
    for pair in zip([read, *ours], theirs, strict=True):
        check(*pair)


async def test_the_list_of_models(server: Loopback, client: Any) -> None:
    """Page by page. The package goes wherever the next page's URL leads, with the key; we stay at the host."""
    plays(server, model(INPUT), prediction(server, "succeeded", "x"))
    page = await client.models.async_list()
    await client.models.async_list("/v1/models?cursor=c2%3D")
    theirs = list(server.requests)
    async with _ours(server) as own:
        found = [each.id async for each in own.models.list("replicate")]
    ours = server.requests[len(theirs) :]
    assert len(ours) == len(theirs) == 2
    for pair in zip(ours, theirs, strict=True):
        check(*pair)
        assert pair[0].query == pair[1].query
    assert found[:2] == [f"{each.owner}/{each.name}" for each in page]


@pytest.mark.parametrize("name", ["acme/m", "acme/m:abc", "deployments/team/live"])
async def test_one_model(server: Loopback, client: Any, name: str) -> None:
    """A model, a version of it, and a deployment."""
    version = {"id": "abc", "created_at": "2026-01-02T03:04:05Z", "cog_version": "0.9", "openapi_schema": {}}
    about = {"url": "https://replicate.com/acme/m", "description": None, "visibility": "public", "run_count": 1}
    plays(server, {**model(INPUT), **about, "latest_version": version}, prediction(server, "succeeded", "x"))
    match name.split(":"):
        case [_, id_]:
            await (await client.models.async_get("acme/m")).versions.async_get(id_)
        case [named] if named.startswith("deployments/"):
            await client.deployments.async_get(named.removeprefix("deployments/"))
        case _:
            await client.models.async_get(name)
    asked = server.requests[-1]
    async with _ours(server) as own:
        await own.models.retrieve(f"replicate/{name}")
    check(server.requests[-1], asked)


@pytest.mark.parametrize("does", ["images", "speech", "transcriptions"])
async def test_other_runs(server: Loopback, client: Any, does: str) -> None:
    """Inputs of other kinds. The package uploads a file; a small one goes inside our request, which it can do too."""
    takes: dict[str, dict[str, Any]] = {
        "images": {"prompt": {"type": "string"}, "num_outputs": {"type": "integer"}},
        "speech": {"text": {"type": "string"}, "voice": {"type": "string"}},
        "transcriptions": {"audio": {"type": "string"}, "language": {"type": "string"}},
    }
    said: dict[str, dict[str, Any]] = {
        "images": {"prompt": "Rome", "num_outputs": 2},
        "speech": {"text": "Rome", "voice": "nova"},
        "transcriptions": {"audio": io.BytesIO(b"RIFF"), "language": "en"},
    }
    plays(server, model(takes[does]), prediction(server, "succeeded", f"{server.url}/files/a"))
    await client.models.predictions.async_create(
        model="acme/m", input=said[does], wait=True, file_encoding_strategy="base64"
    )
    theirs = server.requests[-1]
    async with _ours(server) as own:
        match does:
            case "images":
                await own.images.generate(model="replicate/acme/m", prompt="Rome", n=2)
            case "speech":
                await (await own.audio.speech.create(model="replicate/acme/m", input="Rome", voice="nova")).read()
            case _:
                await own.audio.transcriptions.create(
                    model="replicate/acme/m", file=("a.bin", b"RIFF", "application/octet-stream"), language="en"
                )
    (ours,) = (request for request in server.requests[1:] if request.method == "POST")
    check(ours, theirs)


async def test_an_upload(server: Loopback, client: Any) -> None:
    """A large recording goes to the host's own store, by the same form."""
    plays(server, model({"audio": {"type": "string"}}), prediction(server, "succeeded", "x"))
    sound = b"RIFF" * (100 << 10)
    await client.files.async_create(io.BytesIO(sound), filename="a.wav", content_type="audio/wav")
    theirs = server.requests[-1]
    async with _ours(server) as own:
        await own.audio.transcriptions.create(model="replicate/acme/m", file=("a.wav", sound, "audio/wav"))
    ours = next(request for request in server.requests[1:] if request.path == "/v1/files")
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.headers["authorization"] == theirs.headers["authorization"]
    assert files(ours) == files(theirs) == [("content", "a.wav", "audio/wav", sound)]
    assert fields(ours) == fields(theirs) == []


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
