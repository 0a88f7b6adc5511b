"""Real answers of Replicate, read again, and compared with what plain `json` says.

Two descriptions, seventeen predictions and one stream are read as they came, and the refusal by its class.
"""

import json
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest
from traffic import FOLDER, Exchange, exchanges

from onellm.dialects.replicate.outputs import PredictionReducer, created, urls_of
from onellm.dialects.replicate.predictions import CODES, ENDED, Prediction, Predictions
from onellm.dialects.replicate.schema import decode_schema
from onellm.errors import ResponseDecodeError, UnprocessableEntityError
from onellm.types.chat_params import ChatRequest

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the folder of recorded traffic (ONELLM_TRAFFIC)")

ALL = [exchange for exchange in exchanges() if exchange.provider == "replicate"]
DIALECT = Predictions(codes=CODES)
REQUEST = ChatRequest(provider="replicate", model="m", messages=[], params={})


def kind(exchange: Exchange) -> str:
    if exchange.status >= 400:
        return "error"
    if "stream" in exchange.tags:
        return "stream"
    return "version" if "/versions/" in urlsplit(exchange.url).path else "prediction"


def part(wanted: str) -> pytest.MarkDecorator:
    found = [exchange for exchange in ALL if kind(exchange) == wanted]
    return pytest.mark.parametrize("exchange", found, ids=[exchange.id for exchange in found])


def test_the_recordings_are_all_here() -> None:
    """Each is read below; none is left out."""
    assert Counter(map(kind, ALL)) == {"prediction": 17, "version": 2, "stream": 1, "error": 1}


@part("prediction")
def test_a_prediction(exchange: Exchange) -> None:
    said = json.loads(exchange.body)
    found = DIALECT.decode(exchange.body)
    assert (found.id, found.status, found.output) == (said["id"], said["status"], said.get("output"))
    assert found.ended is (said["status"] in ENDED)
    assert found.stream_url == said["urls"].get("stream")
    assert created(found) > 1_700_000_000
    assert DIALECT.failure(found) is None
    files = [said["output"]] if isinstance(said.get("output"), str) else said.get("output") or []
    if files:
        assert urls_of(found) == files
    else:
        with pytest.raises(ResponseDecodeError):
            urls_of(found)


@part("version")
def test_a_description(exchange: Exchange) -> None:
    """Every input, with its type and the values that it may have, also where those stand elsewhere."""
    parts = json.loads(exchange.body)["openapi_schema"]["components"]["schemas"]
    found = decode_schema(exchange.body)
    assert list(found.inputs) == list(parts["Input"]["properties"])
    assert found.version is None
    for name, said in parts["Input"]["properties"].items():
        real = parts[name] if "allOf" in said else said
        assert found.inputs[name].type == real["type"]
        assert list(found.inputs[name].enum) == real.get("enum", [])


@part("stream")
def test_a_stream_folds_to_what_it_says(exchange: Exchange) -> None:
    """Whole and byte by byte. What a gateway wrote after its end is not read."""
    folded: list[tuple[list[Any], Any]] = []
    for size in (len(exchange.body), 1):
        reducer = PredictionReducer(DIALECT, Prediction(id="p"), REQUEST, max_event_bytes=1 << 20)
        pieces = [exchange.body[at : at + size] for at in range(0, len(exchange.body), size)]
        folded.append(([chunk for piece in pieces for chunk in reducer.feed(piece)], reducer.close()))
    assert folded[0] == folded[1]
    chunks, reply = folded[0]
    events = [block for block in exchange.body.decode().split("\n\n") if block.startswith("event: output")]
    texts = ["\n".join(line[6:] for line in block.split("\n") if line.startswith("data: ")) for block in events]
    assert [chunk.choices[0].delta.content for chunk in chunks] == texts
    assert reply.choices[0].message.content == "".join(texts)
    assert reply.choices[0].finish_reason == "stop"


@part("error")
def test_a_refusal_has_its_class(exchange: Exchange) -> None:
    error = DIALECT.decode_error(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert type(error) is UnprocessableEntityError
    assert (error.message, error.type) == (json.loads(exchange.body)["detail"], "Input validation failed")
