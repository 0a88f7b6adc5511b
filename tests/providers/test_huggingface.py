"""Hugging Face beside chat: the routes of tasks, models that are being loaded, and servers without OpenAI's routes."""

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback import Answer, Loopback, sse, type_sse

from onellm import AsyncOneLLM, RetryPolicy
from onellm.errors import (
    BadRequestError,
    InternalServerError,
    OverloadedError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnprocessableEntityError,
    UnsupportedFeatureError,
    UnsupportedParameterError,
)
from onellm.providers.base import ProviderSettings
from onellm.providers.huggingface import PROVIDER
from onellm.types.audio import SpeechRequest
from onellm.types.embeddings import EmbeddingsRequest

KEY = "hf_contract0123456789"
JPEG = b"\xff\xd8\xff\xe0-pixels"
FLAC = b"fLaC\x00-sound"
TASK = "/hf-inference/models/org/m"


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    async with Loopback() as loopback:
        yield loopback


def connect(server: Loopback, name: str = "huggingface", base: str = "/v1", **options: Any) -> AsyncOneLLM:
    return AsyncOneLLM(providers={name: {"api_key": KEY, "base_url": server.url + base}}, **options)


def test_the_routes_of_tasks_stand_beside_v1() -> None:
    """At the service itself, and below a base URL of one's own."""
    assert PROVIDER.embeddings is not None
    request = EmbeddingsRequest(provider="huggingface", model="org/m", input=["a"], params={})
    http = PROVIDER.embeddings.encode_request(request)
    root = "https://router.huggingface.co"
    path = "hf-inference/models/org/m/pipeline/feature-extraction"
    assert PROVIDER.address(http, ProviderSettings(base_url=f"{root}/v1")) == f"{root}/{path}"
    assert PROVIDER.address(http, ProviderSettings(base_url="https://proxy/hf/v1")) == f"https://proxy/hf/{path}"
    assert PROVIDER.speech is not None
    speech = PROVIDER.speech.encode_request(
        SpeechRequest(provider="huggingface", model="org/m", input="a", voice=None, params={})
    )
    assert PROVIDER.address(speech, ProviderSettings(base_url=f"{root}/v1")) == f"{root}{TASK}"


async def test_embeddings(server: Loopback) -> None:
    """The model stands in the path; the service that runs it may be named, and no other."""
    server.plays(Answer(chunks=[[[1.0, 2.0], [3.0, 4.0]]]))
    async with connect(server) as client:
        reply = await client.embeddings.create(
            model="huggingface/org/m:hf-inference", input=["a", "b"], extra_body={"prompt_name": "query"}
        )
        with pytest.raises(UnsupportedFeatureError, match="fal-ai"):
            await client.embeddings.create(model="huggingface/org/m:fal-ai", input="a")
        with pytest.raises(UnsupportedParameterError, match="dimensions"):
            await client.embeddings.create(model="huggingface/org/m", input="a", dimensions=2)
    (request,) = server.requests
    assert request.path == f"{TASK}/pipeline/feature-extraction"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"inputs": ["a", "b"], "prompt_name": "query"}
    assert [list(item.embedding) for item in reply.data] == [[1.0, 2.0], [3.0, 4.0]]
    assert reply.usage.total_tokens == 0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ([[[1.0, 2.0], [3.0, 4.0]]], ResponseDecodeError, "a vector for each token"),
        ([[1.0], [2.0]], ResponseDecodeError, "2 vectors came for 1 inputs"),
        ([[]], ResponseDecodeError, "empty"),
        ({"error": "no"}, InternalServerError, "no"),
    ],
)
async def test_what_is_no_list_of_vectors(server: Loopback, answer: Any, error: type[Exception], words: str) -> None:
    server.plays(Answer(chunks=[answer]))
    async with connect(server, max_retries=0) as client:
        with pytest.raises(error, match=words):
            await client.embeddings.create(model="huggingface/org/m", input="a")


async def test_a_model_that_is_being_loaded_is_waited_for(server: Loopback, waits: list[float]) -> None:
    """As long as it says, where the call has so much time; the error holds the wait."""
    loading = Answer(status=503, chunks=[{"error": "Model org/m is currently loading", "estimated_time": 20.0}])
    server.plays(loading, loading, Answer(chunks=[[[1.0]]]))
    async with connect(server) as client:
        reply = await client.embeddings.create(model="huggingface/org/m", input="a")
        assert list(reply.data[0].embedding) == [1.0]
        assert [20.0 <= wait <= 21.0 for wait in waits] == [True, True]
        server.plays(loading)
        with pytest.raises(OverloadedError, match="currently loading") as caught:
            await client.embeddings.create(model="huggingface/org/m", input="a", max_retries=0)
    assert caught.value.retry_after == 20.0


@pytest.mark.parametrize("task", ["images", "transcription", "speech", "generated text", "rerank"])
async def test_every_task_waits_for_its_model(server: Loopback, waits: list[float], task: str) -> None:
    """The same request goes out again, recording and all, once the wait that was asked for is over."""
    loading = Answer(status=503, chunks=[{"error": "Model org/m is currently loading", "estimated_time": 53.4}])
    ready = {
        "images": Answer(chunks=[JPEG], content_type="image/jpeg"),
        "transcription": Answer(chunks=[{"text": "Hello"}]),
        "speech": Answer(chunks=[FLAC], content_type="audio/flac"),
        "generated text": Answer(chunks=sse(*STREAM, done=False), content_type=type_sse),
        "rerank": Answer(chunks=[[{"index": 0, "score": 0.9}]]),
    }
    server.plays(loading, ready[task])
    own = {"api_key": KEY, "base_url": server.url}
    hub = {"huggingface": {**own, "base_url": f"{server.url}/v1"}, "tgi-generate": own, "tei-embed": own}
    async with AsyncOneLLM(providers=hub) as client:
        match task:
            case "images":
                assert (await client.images.generate(model="huggingface/org/m", prompt="a")).data[0].content == JPEG
            case "transcription":
                file = ("a.flac", io.BytesIO(FLAC))
                heard = await client.audio.transcriptions.create(model="huggingface/org/m", file=file)
                assert heard.text == "Hello"
            case "speech":
                spoken = await client.audio.speech.create(model="huggingface/org/m", input="a", voice=None)
                assert await spoken.read() == FLAC
            case "generated text":
                stream = await client.completions.create(model="tgi-generate/m", prompt="a", stream=True)
                async with stream:
                    assert (await stream.get_final_completion()).choices[0].text == " blue, 北京."
            case _:
                ranked = await client.rerank.create(model="tei-embed/m", query="q", documents=["a"])
                assert ranked.results[0].index == 0
    first, second = server.requests
    assert (first.path, first.body, first.headers["content-type"]) == (
        second.path,
        second.body,
        second.headers["content-type"],
    )
    assert [53.4 <= wait <= 54.4 for wait in waits] == [True]


@pytest.mark.parametrize(("budget", "requests"), [(15.0, 1), (25.0, 2)])
async def test_a_model_is_waited_for_within_the_time_that_there_is(
    server: Loopback, waits: list[float], budget: float, requests: int
) -> None:
    """A wait that would end after it is not begun: the error comes at once, and says how long it would be."""
    loading = Answer(status=503, chunks=[{"error": "loading", "estimated_time": 20.0}])
    server.plays(loading)
    async with connect(server, retry=RetryPolicy(max_retries=1, budget=budget)) as client:
        with pytest.raises(OverloadedError) as caught:
            await client.embeddings.create(model="huggingface/org/m", input="a")
    assert caught.value.retry_after == 20.0
    assert (len(server.requests), len(waits)) == (requests, requests - 1)


async def test_a_model_that_takes_too_long_to_load_is_not_waited_for(server: Loopback, waits: list[float]) -> None:
    server.plays(Answer(status=503, chunks=[{"error": "loading", "estimated_time": 4000}]))
    async with connect(server) as client:
        with pytest.raises(OverloadedError):
            await client.embeddings.create(model="huggingface/org/m", input="a")
    assert (len(server.requests), waits) == (1, [])


async def test_an_image_is_the_body(server: Loopback) -> None:
    server.plays(Answer(chunks=[JPEG], content_type="image/jpeg"))
    async with connect(server) as client:
        reply = await client.images.generate(
            model="huggingface/org/m",
            prompt="a cat",
            size="256x512",
            n=1,
            extra_body={"parameters": {"num_inference_steps": 4}},
        )
        await client.images.generate(model="huggingface/org/m", prompt="a cat", size="auto")
        with pytest.raises(UnsupportedParameterError, match="url"):
            await client.images.generate(model="huggingface/org/m", prompt="a cat", response_format="url")
        with pytest.raises(UnsupportedFeatureError, match="stream"):
            await client.images.generate(model="huggingface/org/m", prompt="a cat", stream=True)
    first, second = server.requests
    assert first.path == TASK
    assert first.json == {
        "inputs": "a cat",
        "parameters": {"width": 256, "height": 512, "num_inference_steps": 4},
    }
    assert second.json == {"inputs": "a cat"}
    assert (reply.data[0].content, reply.data[0].media_type) == (JPEG, "image/jpeg")
    assert (reply.provider, reply.to_dict()["data"][0]["media_type"]) == ("huggingface", "image/jpeg")


async def test_an_error_in_place_of_an_image(server: Loopback) -> None:
    server.plays(Answer(chunks=[{"error": "no", "error_type": "x"}]), Answer(chunks=[{"job": 1}]))
    async with connect(server, max_retries=0) as client:
        with pytest.raises(InternalServerError, match="no"):
            await client.images.generate(model="huggingface/org/m", prompt="a cat")
        with pytest.raises(ResponseDecodeError, match="an image"):
            await client.images.generate(model="huggingface/org/m", prompt="a cat")


async def test_a_recording_is_the_body(server: Loopback) -> None:
    """With its type; where segments are wanted it stands in JSON."""
    chunks = [{"timestamp": [0.0, 1.5], "text": "Hello"}, {"timestamp": [1.5, None], "text": " there"}]
    server.plays(Answer(chunks=[{"text": "Hello there"}]), Answer(chunks=[{"text": "Hello there", "chunks": chunks}]))
    ask: dict[str, Any] = {"model": "huggingface/org/m", "file": ("a.flac", FLAC)}
    async with connect(server) as client:
        plain = await client.audio.transcriptions.create(**ask)
        full = await client.audio.transcriptions.create(**ask, response_format="verbose_json")
        with pytest.raises(UnsupportedParameterError, match="language"):
            await client.audio.transcriptions.create(**ask, language="en")
    first, second = server.requests
    assert (first.path, first.headers["content-type"], first.body) == (TASK, "audio/flac", FLAC)
    assert second.json == {"inputs": base64.b64encode(FLAC).decode(), "parameters": {"return_timestamps": True}}
    assert (plain.text, plain.provider) == ("Hello there", "huggingface")
    assert [(s["start"], s["end"], s["text"]) for s in full.to_dict()["segments"]] == [
        (0.0, 1.5, "Hello"),
        (1.5, 0.0, " there"),
    ]


async def test_speech_is_the_body(server: Loopback) -> None:
    server.plays(Answer(chunks=[FLAC], content_type="audio/flac"))
    async with connect(server) as client:
        reply = await client.audio.speech.create(model="huggingface/org/m", input="Hello", voice=None)
        assert (await reply.read(), reply.content_type) == (FLAC, "audio/flac")
        with pytest.raises(UnsupportedParameterError, match="voice"):
            await client.audio.speech.create(model="huggingface/org/m", input="Hello", voice="alloy")
    (request,) = server.requests
    assert (request.path, request.json) == (TASK, {"inputs": "Hello"})


# --- a server of text generation without /v1 ------------------------------------------------------------------------

WHOLE = {
    "generated_text": " blue, 北京.",
    "details": {"finish_reason": "eos_token", "generated_tokens": 4, "seed": None, "prefill": [{}, {}], "tokens": []},
}
STREAM = [
    {"index": 1, "token": {"id": 1, "text": " blue", "special": False}, "generated_text": None, "details": None},
    {"index": 2, "token": {"id": 2, "text": ", 北京.", "special": False}, "generated_text": None, "details": None},
    {
        "index": 3,
        "token": {"id": 0, "text": "</s>", "special": True},
        "generated_text": " blue, 北京.",
        "details": {"finish_reason": "eos_token", "generated_tokens": 4, "input_length": 2, "seed": None},
    },
]


@pytest.mark.parametrize("cut", ["by event", "by byte"])
async def test_generated_text(server: Loopback, cut: str) -> None:
    """Whole and streamed are the same, at a route each; arguments go under the server's names."""
    joined = b"".join(sse(*STREAM, done=False))
    pieces = sse(*STREAM, done=False) if cut == "by event" else [joined[at : at + 1] for at in range(len(joined))]
    server.plays(Answer(chunks=[WHOLE]), Answer(chunks=pieces, content_type=type_sse))
    ask: dict[str, Any] = {
        "model": "tgi-generate/m",
        "prompt": "The sky is",
        "max_tokens": 9,
        "stop": ".",
        "top_p": 0.5,
    }
    grammar = {"type": "json", "value": {"type": "object"}}
    async with connect(server, "tgi-generate", "") as client:
        whole = await client.completions.create(**ask, temperature=0, extra_body={"parameters": {"grammar": grammar}})
        async with await client.completions.create(**ask, stream=True) as stream:
            folded = await stream.get_final_completion()
    first, second = server.requests
    assert (first.path, second.path) == ("/generate", "/generate_stream")
    parameters = {"max_new_tokens": 9, "stop": ["."], "top_p": 0.5, "details": True}
    assert first.json == {
        "inputs": "The sky is",
        "parameters": {**parameters, "do_sample": False, "grammar": grammar},
    }
    assert second.json == {"inputs": "The sky is", "parameters": parameters}
    assert (folded.choices, folded.usage) == (whole.choices, whole.usage)
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == (" blue, 北京.", "stop")
    assert whole.choices[0].finish_reason_raw == "eos_token"
    assert whole.usage is not None
    assert whole.usage.total_tokens == 6


async def test_generated_text_that_breaks_off(server: Loopback) -> None:
    """Cut before its last token, or ended by an error of the server's."""
    error = {"error": "Request failed during generation", "error_type": "generation"}
    server.plays(
        Answer(chunks=sse(*STREAM[:2], done=False), content_type=type_sse),
        Answer(chunks=sse(STREAM[0], error, done=False), content_type=type_sse),
        Answer(status=422, chunks=[{"error": "too long", "error_type": "validation"}]),
        Answer(chunks=[[{"other": 1}]]),
    )
    async with connect(server, "tgi-generate", "", max_retries=0) as client:
        for expected in (StreamInterruptedError, InternalServerError):
            async with await client.completions.create(model="tgi-generate/m", prompt="a", stream=True) as stream:
                with pytest.raises(expected):
                    await stream.get_final_completion()
        with pytest.raises(UnprocessableEntityError, match="too long"):
            await client.completions.create(model="tgi-generate/m", prompt="a")
        with pytest.raises(ResponseDecodeError):
            await client.completions.create(model="tgi-generate/m", prompt="a")


@pytest.mark.parametrize("given", [{"n": 2}, {"suffix": "x"}, {"logprobs": 1}])
async def test_what_the_servers_own_route_lacks(server: Loopback, given: dict[str, Any]) -> None:
    async with connect(server, "tgi-generate", "") as client:
        with pytest.raises(UnsupportedParameterError, match=next(iter(given))):
            await client.completions.create(model="tgi-generate/m", prompt="a", **given)
    assert not server.requests


async def test_an_embedding_server_by_its_own_routes(server: Loopback) -> None:
    """`/embed` and `/rerank`, with the server's own arguments."""
    server.plays(
        Answer(chunks=[[[1.0, 2.0]]]), Answer(chunks=[[{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}]])
    )
    async with connect(server, "tei-embed", "") as client:
        reply = await client.embeddings.create(
            model="tei-embed/m", input="a", dimensions=2, extra_body={"truncate": True}
        )
        ranked = await client.rerank.create(model="tei-embed/m", query="q", documents=["a", "b"])
    assert [request.path for request in server.requests] == ["/embed", "/rerank"]
    assert server.requests[0].json == {"inputs": ["a"], "dimensions": 2, "truncate": True}
    assert json.loads(server.requests[1].body) == {"query": "q", "texts": ["a", "b"]}
    assert list(reply.data[0].embedding) == [1.0, 2.0]
    assert [item.index for item in ranked.results] == [1, 0]


async def test_a_batch_that_is_too_large_is_said(server: Loopback) -> None:
    server.plays(
        Answer(status=400, chunks=[{"error": "batch size 33 > maximum allowed 32", "error_type": "Validation"}])
    )
    async with connect(server, "tei-embed", "") as client:
        with pytest.raises(BadRequestError, match="batch size"):
            await client.embeddings.create(model="tei-embed/m", input="a")
