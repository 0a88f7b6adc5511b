"""`rerank`: documents by their relevance to a query."""

# pyright: reportUnnecessaryIsInstance=false, reportUnknownArgumentType=false
# What callers give may be anything.

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import Unpack

from onellm.errors import InvalidRequestError
from onellm.resources import validation
from onellm.resources.core import Core
from onellm.types.rerank import RerankArguments, RerankDocument, RerankParams, RerankRequest, RerankResponse

if TYPE_CHECKING:
    from onellm.providers.protocols import RerankProvider


class AsyncRerank:
    """Documents in the order of their relevance."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create(
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
        name, own_model = self._core.split(model)
        arguments = {**params, "query": validation.text(query, "query"), "documents": _listed(documents)}
        given = validation.params(arguments, RerankArguments, "rerank.create")
        bound = self._core.require(name, "rerank")
        options = self._core.options(bound, given)
        request = RerankRequest(
            provider=name,
            model=own_model,
            query=given["query"],
            documents=given["documents"],
            top_n=given.get("top_n"),
            return_documents=given.get("return_documents", False),
            extra_body=options.extra_body,
            on_unsupported=options.on_unsupported,
        )
        provider = cast("RerankProvider", bound.provider)
        return await options.send(provider.create_rerank, request)


def _listed(documents: Iterable[RerankDocument]) -> list[Any]:
    if not isinstance(documents, Iterable) or isinstance(documents, str | bytes | Mapping):
        raise InvalidRequestError(
            f"documents must be a list of texts, not {type(documents).__name__}", param="documents"
        )
    plain = [dict(item) if isinstance(item, Mapping) else item for item in documents]
    if not plain:
        raise InvalidRequestError("documents is empty: give at least one text", param="documents")
    return plain
