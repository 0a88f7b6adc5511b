"""What `huggingface_hub` sends for tasks and to servers of one's own, and what we send for the same call.

`test_host_sdks` has its chats. It has no call for `/rerank`, whose requests are therefore checked against the server's
own description only.
"""

import contextlib
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from loopback import Answer, Loopback, Recorded, sse, type_sse

from onellm import AsyncOneLLM

KEY = "hf_contract0123456789"
PNG = b"\x89PNG\r\n\x1a\n-pixels"
FLAC = b"fLaC\x00-sound"
TASK = "/hf-inference/models/org/m"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TEXT = {"generated_text": " blue.", "details": {"finish_reason": "eos_token", "generated_tokens": 2, "tokens": []}}
LAST = {
    "index": 1,
    "token": {"id": 1, "text": " blue.", "logprob": 0.0, "special": False},
    "generated_text": " blue.",
    "details": {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 2, "seed": None},
}

Caller = Callable[[Any], Awaitable[object]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call of both.

    task:         what the package calls it
    at:           where ours goes
    differences:  top-level fields that differ, each with the reason
    """

    task: str
    theirs: Caller
    ours: Caller
    answer: Answer
    at: str
    differences: dict[str, str] = field(default_factory=dict)


async def _drawn(client: Any) -> object:
    with contextlib.suppress(ImportError):  # it reads the image with a package that need not be there
        return await client.text_to_image("a cat", model="org/m", width=256, height=512, num_inference_steps=4)
    return None


async def _generated(client: Any, **more: Any) -> None:
    arguments = {
        "max_new_tokens": 9,
        "stop": ["."],
        "top_p": 0.5,
        "seed": 7,
        "return_full_text": False,
        "details": True,
    }
    answer = await client.text_generation("The sky is", **arguments, **more)
    if more.get("stream"):
        async for _ in answer:
            pass


async def _completed(client: AsyncOneLLM, **more: Any) -> None:
    arguments: dict[str, Any] = {"max_tokens": 9, "stop": ["."], "top_p": 0.5, "seed": 7, "echo": False}
    answer: Any = await client.completions.create(model="tgi-generate/m", prompt="The sky is", **arguments, **more)
    if more.get("stream"):
        async with answer:
            await answer.get_final_completion()


STREAMS = "the package has one address for both, and says in the body which it wants"
EMPTY = "the package sends an object without arguments; leaving it out is the same"

CASES = {
    "vectors": Case(
        task="feature-extraction",
        theirs=lambda client: client.feature_extraction(
            ["a", "b"], model="org/m", normalize=True, prompt_name="query", truncate=True, truncation_direction="left"
        ),
        ours=lambda client: client.embeddings.create(
            model="huggingface/org/m",
            input=["a", "b"],
            extra_body={
                "normalize": True,
                "prompt_name": "query",
                "truncate": True,
                "truncation_direction": "left",
            },
        ),
        answer=Answer(chunks=[[[1.0, 2.0], [3.0, 4.0]]]),
        at=f"{TASK}/pipeline/feature-extraction",
    ),
    "an image": Case(
        task="text-to-image",
        theirs=_drawn,
        ours=lambda client: client.images.generate(
            model="huggingface/org/m",
            prompt="a cat",
            size="256x512",
            extra_body={"parameters": {"num_inference_steps": 4}},
        ),
        answer=Answer(chunks=[PNG], content_type="image/png"),
        at=TASK,
    ),
    "a recording": Case(
        task="automatic-speech-recognition",
        theirs=lambda client: client.automatic_speech_recognition(FLAC, model="org/m"),
        ours=lambda client: client.audio.transcriptions.create(model="huggingface/org/m", file=("a.flac", FLAC)),
        answer=Answer(chunks=[{"text": "Hello"}]),
        at=TASK,
    ),
    "a recording with its times": Case(
        task="automatic-speech-recognition",
        theirs=lambda client: client.automatic_speech_recognition(
            FLAC, model="org/m", extra_body={"return_timestamps": True}
        ),
        ours=lambda client: client.audio.transcriptions.create(
            model="huggingface/org/m", file=("a.flac", FLAC), response_format="verbose_json"
        ),
        answer=Answer(chunks=[{"text": "Hello", "chunks": [{"text": "Hello", "timestamp": [0.0, 1.0]}]}]),
        at=TASK,
    ),
    "speech": Case(
        task="text-to-speech",
        theirs=lambda client: client.text_to_speech("Hello", model="org/m", temperature=0.5, do_sample=True),
        ours=lambda client: client.audio.speech.create(
            model="huggingface/org/m",
            input="Hello",
            voice=None,
            extra_body={"parameters": {"temperature": 0.5, "do_sample": True}},
        ),
        answer=Answer(chunks=[FLAC], content_type="audio/flac"),
        at=TASK,
    ),
    "speech without arguments": Case(
        task="text-to-speech",
        theirs=lambda client: client.text_to_speech("Hello", model="org/m"),
        ours=lambda client: client.audio.speech.create(model="huggingface/org/m", input="Hello", voice=None),
        answer=Answer(chunks=[FLAC], content_type="audio/flac"),
        at=TASK,
        differences={"parameters": EMPTY},
    ),
}
SERVERS = {
    "generated text": Case(
        task="text-generation",
        theirs=_generated,
        ours=_completed,
        answer=Answer(chunks=[TEXT]),
        at="/generate",
        differences={"stream": STREAMS},
    ),
    "generated text, streamed": Case(
        task="text-generation",
        theirs=lambda client: _generated(client, stream=True),
        ours=lambda client: _completed(client, stream=True),
        answer=Answer(chunks=sse(LAST, done=False), content_type=type_sse),
        at="/generate_stream",
        differences={"stream": STREAMS},
    ),
    "generated text of a grammar": Case(
        task="text-generation",
        theirs=lambda client: _generated(client, grammar={"type": "json", "value": SCHEMA}),
        ours=lambda client: _completed(
            client, extra_body={"parameters": {"grammar": {"type": "json", "value": SCHEMA}}}
        ),
        answer=Answer(chunks=[TEXT]),
        at="/generate",
        differences={"stream": STREAMS},
    ),
    "the best of several texts": Case(
        task="text-generation",
        theirs=lambda client: _generated(client, best_of=2, frequency_penalty=0.5, temperature=0.7),
        ours=lambda client: _completed(client, best_of=2, frequency_penalty=0.5, temperature=0.7),
        answer=Answer(chunks=[TEXT]),
        at="/generate",
        differences={"stream": STREAMS},
    ),
    "vectors of a server": Case(
        task="feature-extraction",
        theirs=lambda client: client.feature_extraction(["a", "b"], normalize=False, dimensions=2),
        ours=lambda client: client.embeddings.create(
            model="tei-embed/m", input=["a", "b"], dimensions=2, extra_body={"normalize": False}
        ),
        answer=Answer(chunks=[[[1.0, 2.0], [3.0, 4.0]]]),
        at="/embed",
    ),
}


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


async def both(case: Case, server: Loopback, theirs: Any) -> tuple[Recorded, Recorded]:
    if case.task == "feature-extraction":
        pytest.importorskip("numpy", reason="the package reads vectors with it")
    server.plays(case.answer)
    await case.theirs(theirs)
    own = {"api_key": KEY, "base_url": server.url}
    hub = {"huggingface": {**own, "base_url": f"{server.url}/v1"}, "tgi-generate": own, "tei-embed": own}
    async with AsyncOneLLM(providers=hub) as client:
        await case.ours(client)
    first, second = server.requests
    return first, second


def same(case: Case, theirs: Recorded, ours: Recorded) -> None:
    assert ours.method == theirs.method
    assert ours.path == case.at
    assert ours.headers["authorization"] == theirs.headers["authorization"] == f"Bearer {KEY}"
    if ours.headers["content-type"] != "application/json":
        assert ours.body == theirs.body
        return
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert {name: value for name, value in ours.json.items() if name not in case.differences} == {
        name: value for name, value in theirs.json.items() if name not in case.differences
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
async def test_tasks_of_the_hubs_own_service(name: str, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path, the key and the body; the package is told that the model is for the task, and where the service is."""
    hub = pytest.importorskip("huggingface_hub", reason="needs the package huggingface-hub (extra: oracle)")
    providers = importlib.import_module("huggingface_hub.inference._providers")
    case = CASES[name]
    monkeypatch.setattr(
        providers.get_provider_helper("hf-inference", case.task, "org/m"), "base_url", f"{server.url}/hf-inference"
    )
    known = importlib.import_module("huggingface_hub.inference._providers.hf_inference")
    monkeypatch.setattr(known, "_check_supported_task", lambda *_: None)
    async with hub.AsyncInferenceClient(provider="hf-inference", api_key=KEY) as theirs:
        sent, ours = await both(case, server, theirs)
    assert sent.path == case.at
    same(case, sent, ours)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
async def test_servers_of_ones_own(name: str, server: Loopback) -> None:
    """The package sends to the URL that it is given; ours is the server's own address for it."""
    hub = pytest.importorskip("huggingface_hub", reason="needs the package huggingface-hub (extra: oracle)")
    case = SERVERS[name]
    async with hub.AsyncInferenceClient(model=server.url + case.at, api_key=KEY) as theirs:
        same(case, *await both(case, server, theirs))
