"""Reranking: what callers say, and what they get. The names are those that Cohere began with and most hosts share."""

from collections.abc import Mapping
from typing import Annotated, Any, Required, TypeAlias

from msgspec import Meta, field

from onellm.types.base import Answer, Model
from onellm.types.options import ModelOptions
from onellm.types.request import Request

RerankDocument: TypeAlias = str | Mapping[str, Any]
"""A text, or an object with one under `text`; some hosts take images beside it."""


class RerankParams(ModelOptions, total=False):
    """Everything `rerank.create` takes beside model, query and documents; None is the same as leaving out.

    top_n:             how many of the best results to give; all where it is left out
    return_documents:  whether each result holds its document's text
    """

    return_documents: bool | None
    top_n: Annotated[int, Meta(ge=1)] | None


class RerankArguments(RerankParams, total=False):
    """The same with what is ranked, to be checked together."""

    query: Required[str]
    documents: Required[list[str | dict[str, Any]]]


class RerankUsage(Model, kw_only=True, gc=False):
    """What is billed: tokens, or searches."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    search_units: float | None = None


class RerankResult(Model, kw_only=True, gc=False):
    """One document's score.

    index:            the document's place in the request
    relevance_score:  higher is more relevant; its range is the model's: most give 0 to 1, some an open scale
    document:         the document's text as it was given, where `return_documents=True` asked for it
    """

    index: int = 0
    relevance_score: float = 0.0
    document: str | None = None


class RerankResponse(Answer, kw_only=True, gc=False):
    """The results, best first. `to_dict()` has them so too; as the host put them they stand in `raw`."""

    id: str = ""
    model: str = ""
    results: list[RerankResult] = field(default_factory=list[RerankResult])
    usage: RerankUsage | None = None

    def to_dict(self) -> dict[str, Any]:
        return Model.to_dict(self)

    def model_dump(self, *, exclude_none: bool = False) -> dict[str, Any]:
        return Model.model_dump(self, exclude_none=exclude_none)


class RerankRequest(Request, kw_only=True):
    """A validated call. Documents are texts, or objects as the caller gave them."""

    query: str
    documents: list[str | dict[str, Any]]
    top_n: int | None = None
    return_documents: bool = False
