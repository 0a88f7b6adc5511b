"""Real answers of Hugging Face beside chat, which `test_compatible` reads: tasks, and a server's own routes.

Images that the router had from other services are read as those services' own rows read them, where there is one: a
call for them goes to the service itself. Left out, with the reason of each, is what OneLLM has no call for.
"""

import base64
import json
from collections import Counter
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.huggingface.generate import Generate
from onellm.dialects.huggingface.tasks import FeatureExtraction, SpeechRecognition, TextToImage
from onellm.errors import APIStatusError, OverloadedError
from onellm.providers.compatible import ROWS
from onellm.types.audio import TranscriptionRequest
from onellm.types.completions import Completion, CompletionRequest
from onellm.types.embeddings import EmbeddingsRequest
from onellm.types.files import InputFile
from onellm.types.images import ImageRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [
    exchange
    for exchange in exchanges()
    if exchange.provider == "huggingface" and not urlsplit(exchange.url).path.endswith("/chat/completions")
]
COMPLETION = CompletionRequest(provider="huggingface", model="m", prompt="x", params={})


def kind(exchange: Exchange) -> str:
    path = urlsplit(exchange.url).path
    if exchange.status >= 400:
        return "error"
    if exchange.kind == "images":
        if served_by(exchange) != "hf-inference":
            return "other hosts' images" if served_by(exchange) in ROWS else "left out"
        return "images"
    if exchange.kind == "embeddings":
        numbers = json.loads(exchange.body)
        return "embeddings" if len(numbers) > 3 and "similarity" not in path else "left out"
    if exchange.kind == "completions":
        return "streams" if exchange.headers.get("content-type") == "text/event-stream" else "completions"
    return "transcriptions" if exchange.kind == "audio_transcription" else "left out"


def served_by(exchange: Exchange) -> str:
    """The service behind the router; its own before there were others."""
    url = urlsplit(exchange.url)
    return url.path.split("/")[1] if url.netloc == "router.huggingface.co" else "hf-inference"


def part(wanted: str) -> pytest.MarkDecorator:
    found = [exchange for exchange in ALL if kind(exchange) == wanted]
    return pytest.mark.parametrize("exchange", found, ids=[exchange.id for exchange in found])


def test_the_recordings_are_all_here() -> None:
    """Each is read below, or left out for a reason that is said above."""
    assert Counter(map(kind, ALL)) == {
        "completions": 11,
        "streams": 6,
        "embeddings": 4,
        "images": 3,
        "other hosts' images": 2,
        "transcriptions": 2,
        "error": 17,
        "left out": 11,
    }


# What is left out: what its answer begins with, and why.
LEFT_OUT = {
    b"[0.77": "sentence-similarity: scores of sentences and no vectors",
    b'[{"score":0.29': "fill-mask",
    b'{"generated_text":"It': "conversational, which is gone: chat is served by /v1",
    b'[{"answer"': "document-question-answering",
    b'[{"score":0.94': "object-detection",
    b'{"answer":"AVERAGE': "table-question-answering",
    b'[{"entity_group"': "token-classification",
    b'{"images":[{"url":"https://v3.fal.media': "an image of a host that has no row",
    b'{"id":"d11b93f5': "the beginning of an image, at a host that has no row",
}


def test_what_is_left_out_is_what_there_is_no_call_for() -> None:
    """Each has one reason, and each reason is needed."""
    found = [exchange.body for exchange in ALL if kind(exchange) == "left out"]
    reasons = Counter(begin for body in found for begin in LEFT_OUT if body.startswith(begin))
    assert reasons == {begin: 3 if begin == b"[0.77" else 1 for begin in LEFT_OUT}
    assert reasons.total() == len(found)


@part("completions")
def test_generated_text_says_what_it_says(exchange: Exchange) -> None:
    (said,) = json.loads(exchange.body)
    reply = Generate().decode_response(exchange.body, COMPLETION)
    assert reply.choices[0].text == said["generated_text"]
    details = said.get("details") or {}
    assert reply.choices[0].finish_reason_raw == details.get("finish_reason")
    if details.get("prefill"):
        assert reply.usage is not None
        assert reply.usage.prompt_tokens == len(details["prefill"])
        assert reply.usage.completion_tokens == details["generated_tokens"]


@part("streams")
def test_a_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte: the tokens that are no marks, or the error that it holds."""
    events = [json.loads(line[5:]) for line in exchange.body.splitlines() if line.startswith(b"data:")]
    folded: list[tuple[list[Completion], Completion | str]] = []
    for size in (len(exchange.body), 1):
        reducer = Generate().reducer(COMPLETION, max_event_bytes=1 << 20)
        pieces = [exchange.body[at : at + size] for at in range(0, len(exchange.body), size)]
        chunks = [chunk for piece in pieces for chunk in reducer.feed(piece)]
        folded.append((chunks, str(reducer.error) if reducer.error is not None else reducer.close()))
    assert folded[0] == folded[1]
    _, reply = folded[0]
    if "error" in events[0]:
        assert reply == events[0]["error"] + " (200)"
        return
    assert isinstance(reply, Completion)
    assert reply.choices[0].text == "".join(e["token"]["text"] for e in events if not e["token"]["special"])
    details = events[-1].get("details") or {}
    assert reply.choices[0].finish_reason_raw == details.get("finish_reason")


@part("embeddings")
def test_a_vector(exchange: Exchange) -> None:
    """They were asked for with one text, and came bare; OneLLM sends a list, and a list of them comes."""
    said = json.loads(exchange.body)
    request = EmbeddingsRequest(provider="huggingface", model="m", input=["x"], params={})
    reply = FeatureExtraction().decode_response(b"[" + exchange.body + b"]", request)
    assert reply.data[0].embedding.tolist() == pytest.approx(said, rel=1e-6)


@part("images")
def test_an_image(exchange: Exchange) -> None:
    request = ImageRequest(provider="huggingface", model="m", prompt="x", params={})
    reply = TextToImage().decode_response(exchange.body, request)
    assert base64.b64decode(reply.data[0].b64_json or "") == exchange.body
    assert reply.data[0].media_type == exchange.headers["content-type"]


@part("other hosts' images")
def test_an_image_of_another_host(exchange: Exchange) -> None:
    """Behind the router it answers as it does itself."""
    dialect = ROWS[served_by(exchange)].images
    assert dialect is not None
    request = ImageRequest(provider=served_by(exchange), model="m", prompt="x", params={})
    reply = dialect.decode_response(exchange.body, request)
    said = json.loads(exchange.body)["data"]
    assert [(image.url, image.b64_json) for image in reply.data] == [
        (each.get("url"), each.get("b64_json")) for each in said
    ]
    assert all(image.url or image.b64_json for image in reply.data)


@part("transcriptions")
def test_a_transcription(exchange: Exchange) -> None:
    file = InputFile(filename="a.flac", content_type="audio/flac", source=b"")
    request = TranscriptionRequest(provider="huggingface", model="m", file=file, params={})
    assert SpeechRecognition().decode_response(exchange.body, request).text == json.loads(exchange.body)["text"]


@part("error")
def test_a_refusal(exchange: Exchange) -> None:
    """Its class is by its status; what is being loaded says how long."""
    error: APIStatusError = FeatureExtraction().decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert error.status_code == exchange.status
    assert error.message
    if b"estimated_time" in exchange.body:
        assert type(error) is OverloadedError
        assert error.retry_after == json.loads(exchange.body)["estimated_time"]
