# GENERATED from onellm/resources/rerank.py by onellm._sync.generate. Do not edit: run make sync.

"""`rerank`: documents by their relevance to a query."""

from collections.abc import Iterable

from typing_extensions import Unpack

from onellm._sync.portal import run
from onellm.resources.rerank import AsyncRerank
from onellm.types.rerank import RerankDocument, RerankParams, RerankResponse


class Rerank:
    """Documents in the order of their relevance."""

    def __init__(self, held: AsyncRerank) -> None:
        self._async = held

    def create(
        self,
        *,
        model: str,
        query: str,
        documents: Iterable[RerankDocument],
        **params: Unpack[RerankParams],
    ) -> RerankResponse:
        """Score documents by their relevance to a query; the results come best first.

        model is "provider/model". A result names its document by its place; `return_documents=True` puts the text
        beside it, and `top_n` leaves out all but the best. Scores of two models cannot be compared.

        Raises:
            UsageError: the call is wrong; nothing was sent.
            APIConnectionError: no whole answer arrived.
            APIStatusError: the provider refused.
        """
        return run(self._async.create(model=model, query=query, documents=documents, **params))
