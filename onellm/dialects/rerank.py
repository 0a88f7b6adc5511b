"""Reranking: one query, many documents, a score for each. Hosts agree on this much, and on few names.

    {"results" | "data" | "rankings": [{"index", "relevance_score" | "score" | "logit"}]}
    [{"index", "score"}]
    {"scores": [0.1, 0.9]}    in the order of the documents

All of these are read from any host; what is sent is said by the fields.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from onellm.dialects import errors, lenient
from onellm.dialects.base import HttpRequest, with_model
from onellm.dialects.error_in_answer import is_error
from onellm.dialects.lenient import DECODE_ERRORS, encode_json
from onellm.errors import APIStatusError, ResponseDecodeError, UnsupportedParameterError
from onellm.types.rerank import RerankRequest, RerankResponse, RerankResult, RerankUsage


class _Item(Struct, gc=False):
    index: int | None = None
    relevance_score: float | None = None
    score: float | None = None
    logit: float | None = None


class _Billed(Struct, gc=False):
    search_units: float | None = None


class _Meta(Struct, gc=False):
    billed_units: _Billed | None = None


class _Answer(Struct):
    id: str | None = None
    model: str | None = None
    results: list[_Item] | None = None
    data: list[_Item] | None = None
    rankings: list[_Item] | None = None
    scores: list[float] | None = None
    usage: RerankUsage | None = None
    input_tokens: int | None = None
    meta: _Meta | None = None


_decode: Callable[[bytes], _Answer | list[_Item]]
_decode = msgspec.json.Decoder(_Answer | list[_Item], strict=False).decode


class Rerank(Struct, frozen=True, kw_only=True):
    """Reranking. Fields are a host's quirks; the defaults are the shape that most hosts share.

    path, hosted_at:    see `HttpRequest`; `{model}` stands for the model
    query_field, documents_field:  the host's names for them
    wraps_texts:        whether texts are sent as `{"text": …}`, the query too
    repeats_query:      whether the query is sent once for each document
    takes_objects:      False where the host is known to take texts only
    model_in_body:      whether the body names the model
    takes_top_n:        whether the host takes `top_n`; where it does not, the best are picked from all
    always:             fields that every request has: above all, not to send the documents back, which we have
    codes:              the host's own error codes
    """

    path: str = "rerank"
    hosted_at: str = ""
    query_field: str = "query"
    documents_field: str = "documents"
    wraps_texts: bool = False
    repeats_query: bool = False
    takes_objects: bool = True
    model_in_body: bool = True
    takes_top_n: bool = True
    always: Mapping[str, Any] = {}
    codes: Mapping[str, type[APIStatusError]] = {}

    def encode_request(self, request: RerankRequest) -> HttpRequest:
        body: dict[str, Any] = {"model": request.model} if self.model_in_body else {}
        query = {"text": request.query} if self.wraps_texts else request.query
        body[self.query_field] = [query] * len(request.documents) if self.repeats_query else query
        body[self.documents_field] = [self._document(item, request) for item in request.documents]
        if request.top_n is not None:
            if self.takes_top_n:
                body["top_n"] = request.top_n
            else:
                request.adjustments.append(f"picked the best {request.top_n} from all results")
        body.update(self.always)
        body.update(request.extra_body or {})
        path, hosted_at = self.addresses(request.model)
        return HttpRequest(path=path, hosted_at=hosted_at, body=encode_json(body))

    def addresses(self, model: str) -> tuple[str, str]:
        """The path and the own address, with the model in them."""
        return with_model(self.path, model), with_model(self.hosted_at, model)

    def _document(self, item: str | dict[str, Any], request: RerankRequest) -> str | dict[str, Any]:
        if isinstance(item, str):
            return {"text": item} if self.wraps_texts else item
        if self.takes_objects:
            return item
        match item:
            case {"text": str() as text} if len(item) == 1:
                return text
            case _:
                raise UnsupportedParameterError(
                    f"{request.provider} ranks texts only: give each document as a text",
                    provider=request.provider,
                    model=request.model,
                    param="documents",
                )

    def decode_response(self, body: bytes, request: RerankRequest) -> RerankResponse:
        if b'"error"' in body and is_error(body):
            raise self.decode_error(200, {}, body, now=0.0)
        try:
            wire = _decode(body)
        except DECODE_ERRORS:
            wire = lenient.convert(lenient.decode_json(body, "a reranking"), _Answer, "a reranking")
        answer = wire if isinstance(wire, _Answer) else _Answer(results=wire)
        results = _results(answer, body, len(request.documents))
        results.sort(key=_best_first)
        del results[request.top_n or len(results) :]
        if request.return_documents:
            for result in results:
                result.document = _text(request.documents[result.index])
        usage = answer.usage
        if usage is None and answer.input_tokens is not None:
            usage = RerankUsage(prompt_tokens=answer.input_tokens, total_tokens=answer.input_tokens)
        if usage is None and answer.meta is not None and answer.meta.billed_units is not None:
            usage = RerankUsage(search_units=answer.meta.billed_units.search_units)
        return RerankResponse(
            id=answer.id or "", model=answer.model or request.model, results=results, usage=usage, raw=body
        )

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        return errors.decode_error(status, headers, body, now=now, codes=self.codes)


def _results(answer: _Answer, body: bytes, documents: int) -> list[RerankResult]:
    """Index and score of each, in the host's order.

    Raises:
        ResponseDecodeError: there are none, one has no score, or one is of a document that was not sent.
    """
    items = next((found for found in (answer.results, answer.data, answer.rankings) if found is not None), None)
    if items is None and answer.scores is not None and len(answer.scores) == documents:
        items = [_Item(score=score) for score in answer.scores]
    if items is None:
        raise ResponseDecodeError("not a reranking: it has no results", body=body)
    results: list[RerankResult] = []
    for place, item in enumerate(items):
        index = place if item.index is None else item.index
        score = next((said for said in (item.relevance_score, item.score, item.logit) if said is not None), None)
        if score is None or not 0 <= index < documents:
            raise ResponseDecodeError(f"result {place} is no score of one of {documents} documents", body=body)
        results.append(RerankResult(index=index, relevance_score=score))
    return results


def _best_first(result: RerankResult) -> tuple[float, int]:
    return -result.relevance_score, result.index


def _text(document: str | dict[str, Any]) -> str | None:
    found = document if isinstance(document, str) else document.get("text")
    return found if isinstance(found, str) else None
