"""What a dialect is: pure functions between our types and one wire format.

A dialect is a frozen Struct whose fields are its quirks. It opens no socket, reads no clock, and knows no
provider: what it needs of one arrives in the request. What its operation asks of it stands in `protocols`.
"""

# The types of all operations stand in annotations alone: what imports a dialect pays for those it uses.
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable
from urllib.parse import quote

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onellm.errors import APIStatusError
    from onellm.types.base import Answer
    from onellm.types.batches import Batch
    from onellm.types.capabilities import PublishedCapabilities
    from onellm.types.files import Form

AnswerT_contra = TypeVar("AnswerT_contra", bound="Answer", contravariant=True)
ChunkT_co = TypeVar("ChunkT_co", bound="Answer", covariant=True)


class HttpRequest(Struct, frozen=True, kw_only=True, gc=False):
    """A request without its host: `path` is joined to the base URL by string.

    hosted_at:  the whole URL of an operation that the provider keeps outside its base URL; used in place of `path`
                as long as the base URL is the provider's own, and not one that the user gave
    query:      a list is its items, each under the name
    body:       JSON, or whatever `headers` say it is
    form:       the body as a form, in place of `body`; its files are read when it is sent
    """

    path: str
    hosted_at: str = ""
    method: str = "POST"
    body: bytes | None = None
    form: Form | None = None
    headers: Mapping[str, str] = {}
    query: Mapping[str, Any] = {}


def with_model(address: str, model: str) -> str:
    """A path or URL such as `inference/{model}` with the model in it, its slashes kept."""
    return address.replace("{model}", quote(model, safe="/:@"))


class ErrorDecoder(Protocol):
    """Reads refusals."""

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
        """The exception for an error answer. `now` is Unix time, for a `Retry-After` that is a date."""
        ...


@runtime_checkable
class TakesWhole(Protocol[ChunkT_co, AnswerT_contra]):
    """A reducer that can make a whole answer its stream: for models that are known not to stream."""

    def read_whole(self, reply: AnswerT_contra, /) -> Sequence[ChunkT_co]: ...


@runtime_checkable
class CapabilityDialect(ErrorDecoder, Protocol):
    """What a host publishes of a model; a part that a `ModelsDialect` may have."""

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        """The request for it; None where the host publishes nothing."""
        ...

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:
        """What it says; None where it does not know the model."""
        ...


class BatchLine(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a batch's results: the answer's status and body, or an error. Both are JSON, b"" where not there."""

    custom_id: str
    status: int | None
    request_id: str | None
    body: bytes
    error: bytes


@runtime_checkable
class InlineBatchDialect(Protocol):
    """What a `BatchDialect` has beside it whose requests stand in the call that begins the batch, and not in a file.

    most_inline:  the most requests of such a call; more go as a file. None where there are no such files
    """

    @property
    def most_inline(self) -> int | None: ...
    def encode_results(self, batch: Batch) -> HttpRequest:
        """The request for the results of a batch that has ended, a line each."""
        ...
