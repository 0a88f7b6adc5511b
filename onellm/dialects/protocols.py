"""What a dialect of each operation can do, for type checkers: nothing of this is imported where calls are made.

The few that are asked for at run time stand in `base`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from onellm.dialects.base import BatchLine, ErrorDecoder, HttpRequest
from onellm.errors import OneLLMError
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
from onellm.types.chat import ChatCompletion, ChatCompletionChunk, TokenCount
from onellm.types.chat_params import ChatRequest
from onellm.types.completions import Completion, CompletionRequest
from onellm.types.embeddings import CreateEmbeddingResponse, EmbeddingsRequest
from onellm.types.file_objects import FileDeleted, FileObject, FileRequest, FileUrl, Upload, UploadPart
from onellm.types.files import InputFile
from onellm.types.images import ImageRequest, ImagesResponse, ImageStreamEvent
from onellm.types.models import ModelInfo
from onellm.types.moderations import ModerationCreateResponse, ModerationRequest
from onellm.types.ocr import OcrRequest, OcrResponse
from onellm.types.pages import Listing, ListRequest
from onellm.types.request import Request
from onellm.types.rerank import RerankRequest, RerankResponse
from onellm.types.response_events import ResponseStreamEvent
from onellm.types.response_items import ResponseOutputItem
from onellm.types.response_params import ResponseRequest, StoredResponseRequest
from onellm.types.responses import InputTokenCountResponse, Response, ResponseDeleted

RequestT_contra = TypeVar("RequestT_contra", bound=Request, contravariant=True)
AnswerT_co = TypeVar("AnswerT_co", bound=Answer, covariant=True)
ChunkT_co = TypeVar("ChunkT_co", bound=Answer, covariant=True)


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

    def encode_request(self, request: OcrRequest, /) -> HttpRequest: ...
    def decode_response(self, body: bytes, request: OcrRequest, /) -> OcrResponse: ...


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
    def encode_request(self, request: ResponseRequest, /) -> HttpRequest: ...
    def encode_stream(self, request: ResponseRequest, /) -> HttpRequest: ...
    def decode_response(self, body: bytes, request: Request, /) -> Response: ...
    def reducer(self, request: Request, /, *, max_event_bytes: int) -> Reducer[ResponseStreamEvent, Response]: ...
    def encode_retrieve(self, request: StoredResponseRequest) -> HttpRequest: ...
    def encode_retrieve_stream(self, request: StoredResponseRequest) -> HttpRequest: ...
    def decode_stored(self, body: bytes) -> Response: ...
    def encode_delete(self, response_id: str) -> HttpRequest: ...
    def decode_deleted(self, body: bytes) -> ResponseDeleted: ...
    def encode_cancel(self, response_id: str) -> HttpRequest: ...
    def encode_items(self, response_id: str, request: ListRequest) -> HttpRequest: ...
    def decode_items(self, body: bytes, query: Mapping[str, str]) -> Listing[ResponseOutputItem]: ...
    def encode_count(self, request: ResponseRequest) -> HttpRequest: ...
    def decode_count(self, body: bytes) -> InputTokenCountResponse: ...
