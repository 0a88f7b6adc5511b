"""Reranking without a socket: bytes in, values out."""

import json
from typing import Any

import pytest
from wire.rerank import ANSWERS, BEST_FIRST, DOCUMENTS, QUERY, SCORES, body

from onellm import InternalServerError, ResponseDecodeError, UnsupportedParameterError
from onellm.dialects.rerank import Rerank
from onellm.providers.nvidia import NvidiaRerank
from onellm.types.rerank import RerankRequest

COHERE = Rerank()


def ask(documents: Any = DOCUMENTS, model: str = "m", **fields: Any) -> RerankRequest:
    return RerankRequest(provider="here", model=model, query=QUERY, documents=documents, **fields)


def sent(dialect: Rerank, request: RerankRequest) -> Any:
    encoded = dialect.encode_request(request)
    assert encoded.body is not None
    return json.loads(encoded.body)


@pytest.mark.parametrize("shape", ANSWERS)
def test_every_shape_is_read(shape: str) -> None:
    """Whatever the host calls them: places and scores, best first."""
    reply = COHERE.decode_response(body(shape), ask())
    assert [(item.index, item.relevance_score) for item in reply.results] == [
        (place, SCORES[place]) for place in BEST_FIRST
    ]
    assert [item.document for item in reply.results] == [None, None, None]
    if isinstance(ANSWERS[shape], dict):
        assert reply.usage is not None
        assert reply.usage.total_tokens == 17
    assert reply.model == (ANSWERS[shape].get("model", "m") if isinstance(ANSWERS[shape], dict) else "m")
    assert json.loads(reply.raw) == ANSWERS[shape]


@pytest.mark.parametrize("shape", ANSWERS)
def test_documents_and_top_n_are_the_same_everywhere(shape: str) -> None:
    """Texts are those of the request, and no more than the best come, whether the host heeds it or not."""
    reply = COHERE.decode_response(body(shape), ask(top_n=2, return_documents=True))
    assert [(item.index, item.document) for item in reply.results] == [(1, DOCUMENTS[1]), (2, DOCUMENTS[2])]


def test_dump_keeps_each_score_with_its_document() -> None:
    """A host that does not sort has other places in its body: the dump is of the sorted results."""
    reply = COHERE.decode_response(body("llama-server"), ask(top_n=1, return_documents=True))
    assert reply.to_dict() == {
        "id": "",
        "model": "bge",
        "results": [{"index": 1, "relevance_score": 0.828125, "document": DOCUMENTS[1]}],
        "usage": {"prompt_tokens": 17, "total_tokens": 17},
    }
    assert reply.model_dump()["results"] == reply.to_dict()["results"]
    assert json.loads(reply.model_dump_json()) == reply.model_dump()
    assert reply.model_extra == {"object": "list"}


def test_equal_scores_keep_the_order_of_the_documents() -> None:
    """Sorting is stable, whatever order the host sends."""
    wire = {"results": [{"index": 2, "relevance_score": 1}, {"index": 0, "relevance_score": 1.0}]}
    assert [item.index for item in COHERE.decode_response(json.dumps(wire).encode(), ask()).results] == [0, 2]


def test_scores_below_zero_are_sorted_too() -> None:
    """A logit has no range."""
    wire = {"rankings": [{"index": 0, "logit": -12.5}, {"index": 1, "logit": -1.25}]}
    reply = COHERE.decode_response(json.dumps(wire).encode(), ask())
    assert [(item.index, item.relevance_score) for item in reply.results] == [(1, -1.25), (0, -12.5)]


def test_odd_fields_do_not_spoil_an_answer() -> None:
    """What fits is kept, and the rest is in `raw`."""
    wire = {"id": 7, "results": [{"index": 0.0, "relevance_score": 1, "document": 3}], "usage": "none", "model": None}
    reply = COHERE.decode_response(json.dumps(wire).encode(), ask())
    assert [(item.index, item.relevance_score) for item in reply.results] == [(0, 1.0)]
    assert (reply.model, reply.usage) == ("m", None)


@pytest.mark.parametrize(
    "wire",
    [
        b"<html>",
        b"{}",
        b"3",
        b'{"results": [{"index": 3, "relevance_score": 0.5}]}',
        b'{"results": [{"index": -1, "relevance_score": 0.5}]}',
        b'{"results": [{"index": 0}]}',
        b'{"scores": [0.5, 0.25]}',
    ],
)
def test_what_is_no_reranking_is_an_error(wire: bytes) -> None:
    """Another answer, a document that was not sent, a missing score or one for each of other documents."""
    with pytest.raises(ResponseDecodeError):
        COHERE.decode_response(wire, ask())


def test_error_in_a_200_is_an_error() -> None:
    """A body that is an error is one, whatever its status."""
    with pytest.raises(InternalServerError, match="loading"):
        COHERE.decode_response(b'{"error": {"message": "loading", "type": "server_error"}}', ask())


def test_cohere_like_request() -> None:
    """The usual names; documents are not asked back, for we have them."""
    request = ask(top_n=2, return_documents=True, extra_body={"rank_fields": ["title"]})
    assert sent(COHERE, request) == {
        "model": "m",
        "query": QUERY,
        "documents": DOCUMENTS,
        "top_n": 2,
        "rank_fields": ["title"],
    }
    assert request.adjustments == []


def test_other_names() -> None:
    """TEI's: the same under other names, with no model, and the best picked by us."""
    request = ask(top_n=2)
    dialect = Rerank(documents_field="texts", model_in_body=False, takes_top_n=False)
    assert sent(dialect, request) == {"query": QUERY, "texts": DOCUMENTS}
    assert request.adjustments == ["picked the best 2 from all results"]


def test_wrapped_texts() -> None:
    """NVIDIA's: texts as objects; objects stay what they are."""
    dialect = Rerank(documents_field="passages", wraps_texts=True)
    image = {"image": "data:image/png;base64,AA=="}
    assert sent(dialect, ask(["a", image])) == {
        "model": "m",
        "query": {"text": QUERY},
        "passages": [{"text": "a"}, image],
    }


def test_repeated_query() -> None:
    """DeepInfra's: two lists of one length."""
    dialect = Rerank(path="inference/{model}", query_field="queries", repeats_query=True, model_in_body=False)
    request = ask(["a", "b"], model="Qwen/Qwen3-Reranker 8B?")
    assert sent(dialect, request) == {"queries": [QUERY, QUERY], "documents": ["a", "b"]}
    assert dialect.encode_request(request).path == "inference/Qwen/Qwen3-Reranker%208B%3F"


def test_objects_where_only_texts_are_taken() -> None:
    """An object that is only a text is one; anything more cannot be sent."""
    dialect = Rerank(takes_objects=False)
    assert sent(dialect, ask([{"text": "a"}, "b"]))["documents"] == ["a", "b"]
    for document in ({"text": "a", "image": "x"}, {"image": "x"}, {"text": 1}):
        with pytest.raises(UnsupportedParameterError) as caught:
            dialect.encode_request(ask([document]))
        assert caught.value.param == "documents"


def test_text_of_an_object_is_its_document() -> None:
    """An object without a text has none to show."""
    reply = COHERE.decode_response(body("tei"), ask([{"text": "a"}, {"image": "x"}, "c"], return_documents=True))
    assert [(item.index, item.document) for item in reply.results] == [(1, None), (2, "c"), (0, "a")]


def test_nvidia_spells_dots_as_underscores_in_its_address() -> None:
    """The hosted address and the body spell the model's name differently, a container's path has none."""
    dialect = NvidiaRerank(path="ranking", hosted_at="https://ai.api.nvidia.com/v1/retrieval/{model}/reranking")
    encoded = dialect.encode_request(ask(model="nvidia/llama-3.2-nv-rerankqa-1b-v2"))
    assert encoded.hosted_at == "https://ai.api.nvidia.com/v1/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2/reranking"
    assert encoded.path == "ranking"
    assert encoded.body is not None
    assert json.loads(encoded.body)["model"] == "nvidia/llama-3.2-nv-rerankqa-1b-v2"
