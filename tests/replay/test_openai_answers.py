"""Real answers of OpenAI, of every operation: asked for again, each is given back by `to_dict()` as it was received."""

import base64
import json
from array import array
from typing import Any
from urllib.parse import urlsplit

import pytest
from loopback import Answer, Loopback
from served import client_for
from traffic import FOLDER, Exchange, exchanges

from onellm import AsyncOneLLM

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ADDED = {"finish_reason_raw", "status_raw"}  # beside what was received: the provider's own words
HI: list[Any] = [{"role": "user", "content": "Hello"}]
WAV = ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n")

# path: the method, and what it is called with beside what counts answers (n, prompt, input)
CALLS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("POST", "chat/completions"): ("chat.completions.create", {"model": "m", "messages": HI}),
    ("POST", "completions"): ("completions.create", {"model": "m", "prompt": "a"}),
    ("POST", "embeddings"): ("embeddings.create", {"model": "m"}),
    ("POST", "images/generations"): ("images.generate", {"model": "m", "prompt": "a cat"}),
    ("POST", "images/edits"): ("images.edit", {"model": "m", "prompt": "a cat", "image": PNG}),
    ("POST", "audio/transcriptions"): ("audio.transcriptions.create", {"model": "m", "file": WAV}),
    ("POST", "files"): ("files.create", {"file": WAV, "purpose": "batch"}),
    ("GET", "batches"): ("batches.list", {}),
    ("POST", "batches"): ("batches.create", {"input_file_id": "file-1"}),
    ("POST", "batches/cancel"): ("batches.cancel", {"batch_id": "batch_1"}),
    ("POST", "moderations"): ("moderations.create", {}),
    ("GET", "models"): ("models.list", {}),
}


def path(exchange: Exchange) -> str:
    """Where it was asked for, without ids."""
    steps = urlsplit(exchange.url).path.removeprefix("/v1/").split("/")
    return "/".join(step for step in steps if not step.startswith("batch_"))


def is_json(exchange: Exchange) -> bool:
    return exchange.body.lstrip()[:1] == b"{"


WHOLE = [
    (exchange, method)
    for exchange in exchanges()
    for method in ("GET", "POST")
    if exchange.provider == "openai"
    and exchange.status < 400
    and "stream" not in exchange.tags
    and exchange.kind != "other"
    and is_json(exchange)
    and (method, path(exchange)) in CALLS
    and (method == "GET") == (exchange.request is None and "cancel" not in exchange.url)
]


def test_the_recordings_are_all_here() -> None:
    """Every operation of the table but none that is not, so that the test below cannot pass by reading nothing."""
    assert {(method, path(exchange)) for exchange, method in WHOLE} == set(CALLS)
    assert len(WHOLE) >= 45


async def ask(client: AsyncOneLLM, exchange: Exchange, method: str) -> Any:
    name, arguments = CALLS[method, path(exchange)]
    body = exchange.request if isinstance(exchange.request, dict) else {}
    counting = {key: body[key] or "a" for key in ("n", "prompt", "input") if body.get(key) is not None}
    if exchange.kind not in {"completions", "embeddings", "moderation"}:
        counting = {key: value for key, value in counting.items() if key == "n"}
    if exchange.kind == "audio_transcription":
        counting = {"response_format": "diarized_json" if b'"speaker"' in exchange.body else "verbose_json"}
    found: Any = client
    for step in name.split("."):
        found = getattr(found, step)
    return await found(**arguments | counting)


def plain(value: Any) -> Any:
    """Without the fields that were added; vectors as float32, as which they are kept."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: plain(item) for key, item in value.items() if key not in ADDED}
    if "prompt_tokens" in value:
        kept.setdefault("completion_tokens", 0)  # said of a text that came out empty
    match value.get("embedding"):
        case str() as encoded:
            kept["embedding"] = array("f", base64.b64decode(encoded)).tolist()
        case list() as numbers:
            kept["embedding"] = array("f", numbers).tolist()
        case _:
            pass
    return kept


@pytest.mark.parametrize(("exchange", "method"), WHOLE, ids=[f"{e.kind}-{e.id}" for e, _ in WHOLE])
async def test_an_answer_is_given_back_as_it_was_received(exchange: Exchange, method: str) -> None:
    said = json.loads(exchange.body)
    async with Loopback() as loopback, client_for("openai", loopback) as client:
        loopback.plays(Answer(chunks=[exchange.body]))
        reply = await ask(client, exchange, method)
    if method == "GET":
        assert [plain(item.to_dict()) for item in reply.data] == said["data"]
    else:
        assert plain(reply.to_dict()) == plain(said)
