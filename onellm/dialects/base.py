"""What a dialect is: pure functions between our types and one wire format.

A dialect is a frozen Struct whose fields are its quirks. It opens no socket, reads no clock, and knows no
provider: what it needs of one arrives in the request.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable
from urllib.parse import quote

from msgspec import Struct

from onellm.errors import APIStatusError, OneLLMError
from onellm.types.audio import (
    AnyTranscription,
    AnyTranslation,
    SpeechAudioDoneEvent,
    SpeechRequest,
    SpeechStreamEvent,
    TranscriptionRequest,
    TranscriptionStreamEvent,
)
from onellm.types.base import Answer
from onellm.types.batches import Batch, BatchCreateRequest
from onellm.types.capabilities import PublishedCapabilities
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, TokenCount
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import Completion, CompletionRequest
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
from onellm.types.file_objects import FileDeleted, FileObject, FileRequest, FileUrl, Upload, UploadPart
from onellm.types.files import Form, InputFile
from onellm.types.images import ImageRequest, ImagesResponse, ImageStreamEvent
from onellm.types.models import ModelInfo
from onellm.types.moderations import ModerationCreateResponse, ModerationRequest
from onellm.types.pages import Listing, ListRequest
from onellm.types.request import Request
from onellm.types.rerank import RerankRequest, RerankResponse

if TYPE_CHECKING:
    from onellm.types.ocr import OcrRequest, OcrResponse
    from onellm.types.response_events import ResponseStreamEvent
    from onellm.types.response_items import ResponseOutputItem
    from onellm.types.response_params import ResponseRequest, StoredResponseRequest
    from onellm.types.responses import InputTokenCountResponse, Response, ResponseDeleted

RequestT_contra = TypeVar("RequestT_contra", bound=Request, contravariant=True)
AnswerT_co = TypeVar("AnswerT_co", bound=Answer, covariant=True)
AnswerT_contra = TypeVar("AnswerT_contra", bound=Answer, contravariant=True)
ChunkT_co = TypeVar("ChunkT_co", bound=Answer, covariant=True)


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


class Dialect(ErrorDecoder, Protocol[RequestT_contra, AnswerT_co]):
    """One operation over one wire format: a request out, a whole answer in."""

    def encode_request(self, request: RequestT_contra, /) -> HttpRequest: ...
    def decode_response(self, body: bytes, request: RequestT_contra, /) -> AnswerT_co: ...


class Reducer(Protocol[ChunkT_co, AnswerT_co]):
    """Folds one stream: bytes in, chunks out, the whole answer at the end. One instance a stream."""

    @property
    def error(self) -> OneLLMError | None:
        """Set when the stream announced an error or broke its format; chunks before it have been handed out."""
        ...

    @property
    def finished(self) -> bool:
        """True once the terminal event has come: nothing more is worth reading."""
        ...

    def feed(self, data: bytes) -> Sequence[ChunkT_co]:
        """The chunks that these bytes complete."""
        ...

    def close(self) -> AnswerT_co:
        """The whole answer.

        Raises:
            StreamInterruptedError: the stream ended before its terminal event.
            OneLLMError: `error`, where it is set.
        """
        ...


@runtime_checkable
class TakesWhole(Protocol[ChunkT_co, AnswerT_contra]):
    """A reducer that can make a whole answer its stream: for models that are known not to stream."""

    def read_whole(self, reply: AnswerT_contra, /) -> Sequence[ChunkT_co]: ...


class StreamDialect(Dialect[RequestT_contra, AnswerT_co], Protocol[RequestT_contra, AnswerT_co, ChunkT_co]):
    """The same operation, and its answer as it is made."""

    def encode_stream(self, request: RequestT_contra, /) -> HttpRequest:
        """The same request for a streamed answer."""
        ...

    def reducer(self, request: RequestT_contra, /, *, max_event_bytes: int) -> Reducer[ChunkT_co, AnswerT_co]: ...


ChatReducer: TypeAlias = Reducer[ChatCompletionChunk, ChatCompletion]


class ChatDialect(StreamDialect[ChatRequest, ChatCompletion, ChatCompletionChunk], Protocol):
    """Chat over one wire format. The properties are what a row's capability flags are derived from."""

    @property
    def response_formats(self) -> frozenset[str]: ...
    @property
    def tools(self) -> bool: ...
    @property
    def vision(self) -> bool: ...
    @property
    def audio_input(self) -> bool: ...
    @property
    def reasoning(self) -> bool: ...

    @property
    def native_options(self) -> frozenset[str]:
        """The arguments of native APIs, such as `anthropic=`, that this dialect reads from `request.params`."""
        ...


TokenCountDialect: TypeAlias = Dialect[ChatRequest, TokenCount]
TranscriptionDialect: TypeAlias = StreamDialect[TranscriptionRequest, AnyTranscription, TranscriptionStreamEvent]
TranslationDialect: TypeAlias = Dialect[TranscriptionRequest, AnyTranslation]


class SpeechDialect(StreamDialect[SpeechRequest, SpeechAudioDoneEvent, SpeechStreamEvent], Protocol):
    """Speech over one wire format: audio, or a stream of events that hold it in pieces.

    With `json_answer` the audio stands in JSON, and is not the body itself.
    """

    @property
    def json_answer(self) -> bool: ...

    def decode_audio(self, body: bytes, request: SpeechRequest) -> bytes:
        """The audio in an answer of JSON."""
        ...

    def content_type(self, request: SpeechRequest) -> str:
        """The type of the audio that was asked for."""
        ...


class ImageDialect(StreamDialect[ImageRequest, ImagesResponse, ImageStreamEvent], Protocol):
    """Images over one wire format; with `inline` those to work from must be bytes when it is encoded."""

    @property
    def inline(self) -> bool: ...


CompletionDialect: TypeAlias = StreamDialect[CompletionRequest, Completion, Completion]
"""Text completions over one wire format. A chunk of one has the shape of the whole."""


ModerationDialect: TypeAlias = Dialect[ModerationRequest, ModerationCreateResponse]
RerankDialect: TypeAlias = Dialect[RerankRequest, RerankResponse]


class OcrDialect(ErrorDecoder, Protocol):
    """Documents over one wire format; one that is a file must be bytes when it is encoded."""

    def encode_request(self, request: "OcrRequest", /) -> HttpRequest: ...
    def decode_response(self, body: bytes, request: "OcrRequest", /) -> "OcrResponse": ...


class EmbeddingDialect(Dialect[EmbeddingsRequest, CreateEmbeddingResponse], Protocol):
    """Embeddings over one wire format. One request takes `max_inputs`, with `max_tokens` in all, if that is bounded."""

    @property
    def max_inputs(self) -> int: ...
    @property
    def max_tokens(self) -> int | None: ...


class ModelsDialect(ErrorDecoder, Protocol):
    """The list of models over one wire format."""

    def encode_list(self) -> HttpRequest: ...
    def decode_list(self, body: bytes) -> list[ModelInfo]: ...
    def encode_retrieve(self, model: str) -> HttpRequest: ...
    def decode_retrieve(self, body: bytes) -> ModelInfo: ...


@runtime_checkable
class CapabilityDialect(ErrorDecoder, Protocol):
    """What a host publishes of a model; a part that a `ModelsDialect` may have."""

    def encode_capabilities(self, model: str) -> HttpRequest | None:
        """The request for it; None where the host publishes nothing."""
        ...

    def decode_capabilities(self, body: bytes, model: str) -> PublishedCapabilities | None:
        """What it says; None where it does not know the model."""
        ...


class FileDialect(ErrorDecoder, Protocol):
    """Files that a host keeps, over one wire format. The query of a list's decoding is the one it was asked with."""

    def encode_create(self, request: FileRequest) -> HttpRequest: ...
    def encode_list(self, request: ListRequest) -> HttpRequest: ...
    def encode_retrieve(self, file_id: str) -> HttpRequest: ...
    def encode_content(self, file_id: str) -> HttpRequest: ...
    def encode_delete(self, file_id: str) -> HttpRequest: ...
    def decode_file(self, body: bytes) -> FileObject: ...
    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[FileObject]: ...
    def decode_deleted(self, body: bytes) -> FileDeleted: ...


class FileUrlDialect(ErrorDecoder, Protocol):
    """URLs by which a host's files can be read without a key. `expires_in` is seconds; None leaves it to the host."""

    def encode_request(self, file_id: str, expires_in: int | None) -> HttpRequest: ...
    def decode_response(self, body: bytes) -> FileUrl: ...


class UploadDialect(ErrorDecoder, Protocol):
    """Files that are sent in parts. Sizes are bytes."""

    @property
    def largest_whole(self) -> int: ...
    @property
    def largest_part(self) -> int: ...
    def encode_create(self, request: FileRequest, size: int) -> HttpRequest: ...
    def encode_part(self, upload_id: str, part: InputFile) -> HttpRequest: ...
    def encode_complete(self, upload_id: str, part_ids: Sequence[str]) -> HttpRequest: ...
    def encode_cancel(self, upload_id: str) -> HttpRequest: ...
    def decode_upload(self, body: bytes) -> Upload: ...
    def decode_part(self, body: bytes) -> UploadPart: ...


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


class BatchDialect(ErrorDecoder, Protocol):
    """Batches over one wire format. With `one_model` the batch says the model, and not each request."""

    @property
    def one_model(self) -> bool: ...
    def encode_line(self, custom_id: str, body: Mapping[str, Any], endpoint: str) -> bytes: ...
    def encode_create(self, request: BatchCreateRequest) -> HttpRequest: ...
    def encode_list(self, request: ListRequest) -> HttpRequest: ...
    def encode_retrieve(self, batch_id: str) -> HttpRequest: ...
    def encode_cancel(self, batch_id: str) -> HttpRequest: ...
    def decode_batch(self, body: bytes) -> Batch: ...
    def decode_list(self, body: bytes, query: Mapping[str, str]) -> Listing[Batch]: ...
    def decode_line(self, line: bytes) -> BatchLine: ...


class ResponseDialect(ErrorDecoder, Protocol):
    """Responses: made, streamed, and where the host keeps them asked for again."""

    @property
    def keeps(self) -> bool: ...
    def encode_request(self, request: "ResponseRequest", /) -> HttpRequest: ...
    def encode_stream(self, request: "ResponseRequest", /) -> HttpRequest: ...
    def decode_response(self, body: bytes, request: Request, /) -> "Response": ...
    def reducer(self, request: Request, /, *, max_event_bytes: int) -> "Reducer[ResponseStreamEvent, Response]": ...
    def encode_retrieve(self, request: "StoredResponseRequest") -> HttpRequest: ...
    def encode_retrieve_stream(self, request: "StoredResponseRequest") -> HttpRequest: ...
    def decode_stored(self, body: bytes) -> "Response": ...
    def encode_delete(self, response_id: str) -> HttpRequest: ...
    def decode_deleted(self, body: bytes) -> "ResponseDeleted": ...
    def encode_cancel(self, response_id: str) -> HttpRequest: ...
    def encode_items(self, response_id: str, request: ListRequest) -> HttpRequest: ...
    def decode_items(self, body: bytes, query: Mapping[str, str]) -> "Listing[ResponseOutputItem]": ...
    def encode_count(self, request: "ResponseRequest") -> HttpRequest: ...
    def decode_count(self, body: bytes) -> "InputTokenCountResponse": ...
