"""Predictions as a host of them plays them: a call is a conversation of several requests.

The description is read first; then a run is begun. Where it is streamed its text comes from a URL of its own, and the
run is looked at once more. https://replicate.com/docs/reference/http
"""

import json
from collections.abc import Sequence
from typing import Any

from loopback import Answer, Loopback, Recorded, type_sse
from replicate_host import FILE, INPUT, events
from replicate_host import model as described

QUESTION = "Where is it warm?"
PIECES = ["It is", " warm in", "\n\n Zürich", " and 北京 \U0001f600."]
TEXT = "".join(PIECES)


def _run(status: str, output: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "p1",
        "model": "vendor/model-1",
        "version": "hidden",
        "input": {},
        "output": output,
        "error": None,
        "logs": "",
        "status": status,
        "created_at": "2026-01-02T03:04:05.678901234Z",
        "urls": {"get": "https://api.replicate.com/v1/predictions/p1", **more},
        "metrics": {"input_token_count": 7, "output_token_count": 5, "predict_time": 0.5} if output else {},
    }


ANSWER = json.dumps(_run("succeeded", TEXT)).encode()
STREAM = events(*PIECES)
UNKNOWN_EVENT = b'event: progress\ndata: {"percent": 50}\n\n'
FAILED_EVENT = b"event: error\ndata: The server is overloaded\n\n"


def refusal(message: str, code: str) -> bytes:  # noqa: ARG001 - it has no codes
    """The body of an error status."""
    return json.dumps({"title": "Refused", "detail": message, "status": 400}).encode()


def check_chat_body(body: Any, model: str, *, stream: bool) -> None:  # noqa: ARG001 - it stands in the path
    """Nothing but what was asked."""
    asked: dict[str, Any] = {"input": {"prompt": QUESTION}}
    assert body == ({**asked, "stream": True} if stream else asked)


def path(model: str) -> str:
    """Where a run is begun."""
    return f"v1/models/{model}/predictions"


def plays(server: Loopback, answers: Sequence[Answer]) -> None:
    """Each answer is that of one run; one of events is read where the run says that its stream is."""
    waiting, streams = list(answers), list[Answer]()

    def choose(request: Recorded) -> Answer:
        if _begins(request):
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if answer.content_type != type_sse:
                return answer
            streams.append(answer)
            run = _run("starting", stream=f"{server.url}/streams/p1")
            return Answer(status=201, chunks=[run], headers=answer.headers)
        if _streams(request):
            return streams.pop(0)
        if request.path.endswith("/cancel"):
            return Answer(chunks=[_run("canceled")])
        if "/predictions/" in request.path:
            return Answer(chunks=[ANSWER])
        return Answer(chunks=[FILE if request.path.endswith("/files") else described(INPUT)])

    server.chooses(choose)


def asked(server: Loopback) -> list[Recorded]:
    """The requests that the answers are of."""
    return [request for request in server.requests if _begins(request)]


def streamed(server: Loopback) -> Recorded:
    """The request whose answer is the stream."""
    return next(request for request in server.requests if _streams(request))


def _begins(request: Recorded) -> bool:
    return request.method == "POST" and request.path.endswith("/predictions")


def _streams(request: Recorded) -> bool:
    return request.path.startswith("/streams/")


MODEL_IDS = ["acme/m", "acme/n"]


def _model(id_: str) -> dict[str, Any]:
    owner, _, name = id_.partition("/")
    return {"owner": owner, "name": name, "visibility": "public", "run_count": 7}


def models(prefix: str = "") -> bytes:  # noqa: ARG001 - it has none
    """The list of models, on one page."""
    return json.dumps({"previous": None, "next": None, "results": [_model(id_) for id_ in MODEL_IDS]}).encode()


def model(prefix: str = "") -> bytes:  # noqa: ARG001 - likewise
    """The first of them."""
    return json.dumps(_model(MODEL_IDS[0])).encode()
