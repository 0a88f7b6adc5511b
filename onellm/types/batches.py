"""Batches: what callers say, and what they get. https://platform.openai.com/docs/api-reference/batch"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Required, TypeAlias

from msgspec import Meta, Struct, field
from typing_extensions import TypedDict

from onellm.errors import OneLLMError
from onellm.types.base import Answer, Model
from onellm.types.chat import ChatCompletion, Seconds
from onellm.types.file_objects import ExpiresAfter
from onellm.types.options import CallOptions
from onellm.types.request import Request

if TYPE_CHECKING:
    from onellm.types.completions import Completion
    from onellm.types.embeddings import CreateEmbeddingResponse
    from onellm.types.moderations import ModerationCreateResponse
    from onellm.types.ocr import OcrResponse

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""Statuses after which nothing more comes."""


class BatchRequest(Struct, frozen=True, kw_only=True):
    """One request of a batch.

    custom_id:  the caller's own name for it, which its result carries; no two of a batch have the same
    body:       what the endpoint takes, under the provider's own names; `model` is "provider/model"
    """

    custom_id: str
    body: Mapping[str, Any]


class BatchRequestParam(TypedDict, total=False):
    """A `BatchRequest` as a dict; a line of OpenAI's batch files is one too."""

    custom_id: Required[str]
    body: Required[Mapping[str, Any]]
    method: str
    url: str


BatchRequests: TypeAlias = Iterable[BatchRequest | BatchRequestParam]


class BatchCreateParams(CallOptions, total=False):
    """Everything `batches.create` takes beside its requests, endpoint, completion_window and provider.

    model:  "provider/model", for a provider that runs a whole batch with one model
    """

    metadata: Mapping[str, str] | None
    output_expires_after: ExpiresAfter | None
    model: str | None


class BatchListParams(CallOptions, total=False):
    """Everything `batches.list` takes beside provider.

    after:  the id of the batch after which the list begins
    limit:  the most batches of one page
    """

    limit: Annotated[int, Meta(ge=1)] | None
    after: str | None


class BatchError(Model, kw_only=True, gc=False):
    """Why a batch, or a line of its file, was not taken."""

    code: str | None = None
    line: int | None = None
    message: str | None = None
    param: str | None = None


class BatchErrors(Model, kw_only=True, gc=False):
    """All of them."""

    object: str = "list"
    data: list[BatchError] = field(default_factory=list[BatchError])


class BatchRequestCounts(Model, kw_only=True, gc=False):
    """How far a batch is."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class BatchUsage(Model, kw_only=True, gc=False):
    """Tokens billed."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


class Batch(Answer, kw_only=True, gc=False):
    """A batch. Times are Unix time in seconds.

    status:      "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled",
                 whatever words the provider has
    status_raw:  the provider's own word
    """

    id: str = ""
    object: str = "batch"
    endpoint: str = ""
    model: str | None = None
    status: str = ""
    status_raw: str = ""
    errors: BatchErrors | None = None
    input_file_id: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    completion_window: str = ""
    created_at: Seconds = 0
    in_progress_at: Seconds | None = None
    expires_at: Seconds | None = None
    finalizing_at: Seconds | None = None
    completed_at: Seconds | None = None
    failed_at: Seconds | None = None
    expired_at: Seconds | None = None
    cancelling_at: Seconds | None = None
    cancelled_at: Seconds | None = None
    request_counts: BatchRequestCounts | None = None
    usage: BatchUsage | None = None
    metadata: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes: completed, failed, expired or cancelled."""
        return self.status in ENDED


BatchAnswer: TypeAlias = (
    "ChatCompletion | Completion | CreateEmbeddingResponse | ModerationCreateResponse | OcrResponse | dict[str, Any]"
)


class BatchResult(Struct, frozen=True, kw_only=True):
    """What came of one request of a batch: a response or an error.

    response:     as the endpoint's own call would give it; a dict where there is no such call
    error:        as the endpoint's own call would raise it
    status_code:  of the request
    request_id:   the provider's id of the request, where it gives one
    raw:          the line as received
    """

    custom_id: str
    response: "BatchAnswer | None" = None
    error: OneLLMError | None = None
    status_code: int | None = None
    request_id: str | None = None
    raw: bytes = b""


class BatchCreateRequest(Request, kw_only=True):
    """A validated call to begin a batch.

    model:  for all requests; "" where each has its own
    lines:  the requests, as the dialect encodes each, for a provider that takes them in the call itself
    """

    input_file_id: str
    endpoint: str
    completion_window: str
    params: dict[str, Any]
    lines: Sequence[bytes] = ()
