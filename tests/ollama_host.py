"""A small host of Ollama's API for the scripted provider: it has one model, and any other once it was pulled."""

from typing import Any

from loopback import Answer, Recorded
from wire import ollama as wire


def ollama_host(request: Recorded) -> Answer:  # noqa: PLR0911 - one a path
    """What the host answers. A chat thinks first where it is asked to."""
    body: dict[str, Any] = request.json if request.body else {}
    match request.path:
        case "/api/chat":
            asked: str = body["messages"][-1]["content"]
            thought = {"thinking": "Let me think."} if body.get("think") else {}
            text = '{"city": "Rome"}' if body.get("format") else f"You said: {asked}"
            if not body["stream"]:
                return Answer(chunks=[wire.whole({"content": text, **thought})])
            thinks = [wire.said(**thought)] if thought else []
            lines = [*thinks, *map(wire.said, wire.pieces(text)), wire.end()]
            return Answer(chunks=lines, content_type=wire.STREAM_TYPE)
        case "/api/generate":
            return Answer(chunks=[wire.line(response=f" after {body['prompt']}", done=True, **wire.COUNTS)])
        case "/api/embed":
            texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
            return Answer(chunks=[wire.embeddings([[float(len(text)), 1.0] for text in texts])])
        case "/api/pull":
            return Answer(chunks=wire.PULL_STREAM, content_type=wire.STREAM_TYPE)
        case "/api/show":
            return Answer(chunks=[wire.model()])
        case "/api/tags":
            return Answer(chunks=[wire.models()])
        case "/api/delete":
            return Answer(chunks=[b""])
        case _:
            return Answer(status=404, chunks=[{"error": f"no {request.path}"}])
