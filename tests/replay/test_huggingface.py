"""Real answers of Hugging Face beside chat, which `test_compatible` reads: tasks, and a server's own routes.

Left out are tasks that OneLLM has no call for (similarity, question answering, token classification, object detection,
fill-mask, captions, an old conversational one), and images of other services, whose answers are in shapes of their own.
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
        return "images" if exchange.headers["content-type"].startswith("image/") else "left out"
    if exchange.kind == "embeddings":
        numbers = json.loads(exchange.body)
        return "embeddings" if len(numbers) > 3 and "similarity" not in path else "left out"
    if exchange.kind == "completions":
        return "streams" if exchange.headers.get("content-type") == "text/event-stream" else "completions"
    return "transcriptions" if exchange.kind == "audio_transcription" else "left out"


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
        "transcriptions": 2,
        "error": 17,
        "left out": 13,
    }


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
