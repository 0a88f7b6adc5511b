"""A small host of Cohere's v2 API for the scripted provider: it cites the first document that it was given."""

from typing import Any

from loopback import Answer, Recorded, type_sse
from wire import cohere as wire


def cohere_host(request: Recorded) -> Answer:
    """What the host answers. A chat's answer is the text of the first document, cited; without one, of the question."""
    body: dict[str, Any] = request.json
    match request.path:
        case "/v2/chat":
            documents = body.get("documents", [])
            asked: Any = body["messages"][-1]["content"]
            text = documents[0]["data"]["text"] if documents else f"You said: {asked}"
            cited = [
                {
                    "start": 0,
                    "end": len(text),
                    "text": text,
                    "sources": [{"type": "document", "id": one["id"], "document": {**one["data"], "id": one["id"]}}],
                    "type": "TEXT_CONTENT",
                    "content_index": 0,
                }
                for one in documents[:1]
            ]
            if not body.get("stream"):
                return Answer(chunks=[wire.whole({"content": wire.texts(text), "citations": cited})])
            cites = [event for number, one in enumerate(cited) for event in wire.citation(number, one)]
            events = [wire.START, *wire.content(0, text), *cites, wire.end(), wire.DONE]
            return Answer(chunks=events, content_type=type_sse)
        case "/v2/embed":
            return Answer(chunks=[wire.embeddings([[float(len(text)), 1.0] for text in body["texts"]])])
        case "/v2/rerank":
            # The longer, the better.
            order = sorted(range(len(body["documents"])), key=lambda place: -len(body["documents"][place]))
            results = [{"index": place, "relevance_score": 1 / (rank + 1)} for rank, place in enumerate(order)]
            return Answer(chunks=[{"id": "r", "results": results[: body.get("top_n")]}])
        case _:
            return Answer(status=404, chunks=[{"message": f"no {request.path}"}])
