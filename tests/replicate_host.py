"""Predictions on loopback: models with their descriptions, runs that take some looks to end, streams and files."""

import json
from collections.abc import Callable
from typing import Any

from loopback import Answer, Loopback, Recorded, type_sse

INPUT = {
    "prompt": {"type": "string", "title": "Prompt", "x-order": 0},
    "system_prompt": {"type": "string", "default": ""},
    "max_new_tokens": {"type": "integer", "default": 128},
    "temperature": {"type": "number", "maximum": 5},
    "top_p": {"type": "number"},
    "seed": {"type": "integer"},
    "stop_sequences": {"type": "string"},
    "image": {"type": "string", "format": "uri"},
}
PICTURES = {
    "prompt": {"type": "string"},
    "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "default": "1:1"},
    "num_outputs": {"type": "integer", "minimum": 1, "maximum": 4},
    "output_format": {"allOf": [{"$ref": "#/components/schemas/output_format"}], "default": "webp"},
}
ENUMS = {
    "aspect_ratio": {"enum": ["1:1", "16:9", "3:2"], "type": "string"},
    "output_format": {"enum": ["webp", "jpg", "png"], "type": "string"},
}
PNG = b"\x89PNG\r\n\x1a\n-pixels"
PIECES = ["Rome", " is", "\n\n", "old: Zürich, 北京"]
USAGE = {"input_token_count": 7, "output_token_count": 5, "predict_time": 0.5}


FILE = {
    "id": "f1",
    "name": "a.wav",
    "content_type": "audio/wav",
    "size": 4,
    "etag": "x",
    "checksums": {"sha256": "x"},
    "metadata": {},
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": None,
}
DEPLOYMENT = {
    "owner": "team",
    "name": "live",
    "current_release": {
        "number": 3,
        "model": "acme/m",
        "version": "e" * 64,
        "created_at": "2026-01-02T03:04:05.678Z",
        "configuration": {"hardware": "gpu-t4", "min_instances": 1, "max_instances": 5},
    },
}


def _listed(owner: str, name: str, **more: Any) -> dict[str, Any]:
    url = f"https://replicate.com/{owner}/{name}"
    return {"url": url, "owner": owner, "name": name, "visibility": "public", "run_count": 7, **more}


def pages(server: Loopback) -> dict[str, Any]:
    """The list of models, by the cursors of its pages. The real one names its next page without TLS, too."""
    newest = {"id": "f" * 64, "created_at": "2026-01-02T03:04:05.678901Z", "cog_version": "1", "openapi_schema": {}}
    published = {"latest_version": newest}
    return {
        "": {
            "previous": None,
            "next": "http://elsewhere.example/v1/models?cursor=c2%3D",
            "results": [_listed("acme", "m", **published), _listed("acme", "n")],
        },
        "c2=": {
            "previous": f"{server.url}/v1/models",
            "next": None,
            "results": [_listed("other", "o", latest_version=None)],
        },
    }


def model(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A model, as its owner published it."""
    schemas = {"Input": {"type": "object", "title": "Input", "properties": properties}, **ENUMS}
    version = {"id": "f" * 64, "openapi_schema": {"components": {"schemas": schemas}}}
    return {"owner": "acme", "name": "m", "latest_version": version, **more}


def prediction(server: Loopback, status: str, output: Any = None, **more: Any) -> dict[str, Any]:
    """A run as it is now. `stream=True` gives it a URL to read from."""
    url = f"{server.url}/v1/predictions/p1"
    urls = {"get": url, "cancel": f"{url}/cancel"}
    if more.pop("stream", False):
        urls["stream"] = f"{server.url}/streams/p1"
    return {
        "id": "p1",
        "model": "acme/m",
        "version": "f" * 64,
        "input": {},
        "output": output,
        "error": None,
        "logs": "",
        "status": status,
        "created_at": "2026-01-02T03:04:05.678901234Z",
        "urls": urls,
        **more,
    }


def events(*pieces: str, end: str = "event: done\ndata: {}\n\n") -> list[bytes]:
    """A stream of these pieces."""
    lines = [
        f"event: output\nid: 1:{number}\n" + "".join(f"data: {line}\n" for line in piece.split("\n")) + "\n"
        for number, piece in enumerate(pieces)
    ]
    return [b": hi\n\n", *(line.encode() for line in lines), *([end.encode()] if end else [])]


def plays(
    server: Loopback,
    described: dict[str, Any],
    begun: dict[str, Any] | Answer,
    looks: list[dict[str, Any] | Answer] | None = None,
    stream: Answer | None = None,
) -> Callable[[Recorded], Answer]:
    """Answer as the API does; the last look is given again and again."""
    waiting = list(looks or [])

    def choose(request: Recorded) -> Answer:  # noqa: PLR0911 - a route a line
        path = request.path
        if request.method == "GET" and path == "/v1/models":
            return Answer(chunks=[pages(server)[request.query.get("cursor", "")]])
        if request.method == "GET" and path.startswith("/v1/deployments/"):
            return Answer(chunks=[DEPLOYMENT])
        if request.method == "GET" and path.startswith("/v1/models/"):
            whole = described["latest_version"] if "/versions/" in path else described
            return Answer(chunks=[whole])
        if path.endswith("/cancel"):
            return Answer(chunks=[prediction(server, "canceled")])
        if path.startswith("/streams/"):
            return stream or Answer(chunks=events(*PIECES), content_type=type_sse)
        if path.startswith("/files/"):
            return Answer(chunks=[PNG], content_type="image/png")
        if path == "/v1/files":
            return Answer(status=201, chunks=[{**FILE, "urls": {"get": f"{server.url}/v1/files/f1"}}])
        if request.method == "GET":
            found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return found if isinstance(found, Answer) else Answer(chunks=[found])
        return (
            begun if isinstance(begun, Answer) else Answer(status=201, chunks=[begun], headers={"x-request-id": "r1"})
        )

    server.chooses(choose)
    return choose


def sent(server: Loopback) -> list[str]:
    """The requests, a line each."""
    return [f"{request.method} {request.path}" for request in server.requests]


def inputs(server: Loopback) -> Any:
    """What the last run was begun with."""
    found = [r for r in server.requests if r.method == "POST" and r.path.endswith("/predictions")]
    return json.loads(found[-1].body)["input"]


def replicate_host(request: Recorded) -> Answer:
    """A small host for the examples: its one model says what it was told."""
    if request.method == "GET":
        return Answer(chunks=[model({**INPUT, "top_k": {"type": "integer"}})])
    done = {"id": "p1", "status": "succeeded", "output": ["You said: ", request.json["input"]["prompt"]]}
    return Answer(status=201, chunks=[done])


def huggingface_host(request: Recorded) -> Answer:
    """Likewise: two numbers for each text, and an image for whoever wants none."""
    inputs_ = request.json["inputs"]
    return Answer(chunks=[[[float(len(text)), 1.0] for text in inputs_]] if isinstance(inputs_, list) else [PNG])
